// Package saker is for rule modules for Saker that are written in Go.
//
// A module calls Export in an `init` function, and is built by `saker module build`: `go build
// -buildmode=c-shared` for wasip1, by Go 1.24 or later; what it imports of WASI gets stubs. So
// there is nothing in it that waits: no file, no socket, no goroutine that outlives a call.
// Natively, for tests, NewRun runs it.
//
// Everything that crosses the border of the sandbox lies in memory as the world of
// `wit/rules.wit` wants it.
package saker

import "math"

// Priority is how urgent the alerts of a rule are.
type Priority uint8

const (
	Emergency Priority = iota
	AlertPriority
	Critical
	Error
	Warning
	Notice
	Informational
	Debug
)

// Capability is what a module may be allowed.
type Capability uint8

const (
	Clock Capability = iota
	KV
	Metrics
	HTTP
)

// State is what a module's memory is about.
type State uint8

const (
	None State = iota
	Container
	ProcessTree
	Global
)

// Rule is a rule that a module may alert by; Output may name fields of its rows by %field.
type Rule struct {
	Name, Description string
	Priority          Priority
	Tags              []string
	Output            string
}

// Module is a rule module.
type Module struct {
	Name, Version, Condition string
	Fields                   []Column
	Rules                    []Rule
	Capabilities             []Capability
	State                    State
	// Start is called once in every instance; an error refuses the module.
	Start func(config map[string]string) error
	// Event gets the events that meet the condition, in their order.
	Event func(row Row, alerts *Alerts)
	// Tick is told when the time of events has reached another second.
	Tick func(time uint64, alerts *Alerts)
	// Response is told what came of a request of Submit: the answer, or why there is none.
	Response func(request uint64, answer *Answer, why string, alerts *Alerts)
}

// Header is a name, in small letters where it comes from a server, and its value.
type Header struct{ Name, Value string }

// Answer is what a server answered to a request.
type Answer struct {
	Status  uint16
	Headers []Header
	Body    []byte
	// IsCut tells that the body was too long.
	IsCut bool
}

// Row is an event; columns are counted from 0 in the order of the module's fields.
type Row struct{ bytes []byte }

func u32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func u64(b []byte) uint64 { return uint64(u32(b)) | uint64(u32(b[4:]))<<32 }

// Time is when it happened: nanoseconds since 1970.
func (r Row) Time() uint64 { return u64(r.bytes[8:]) }

// Number is the event's number.
func (r Row) Number() uint64 { return u64(r.bytes[16:]) }

// slot is that of the column of that name, if it has a value.
func (r Row) slot(name string) (uint64, bool) {
	for i, column := range own.Fields {
		if column.field() != name {
			continue
		}
		if r.bytes[32+i/8]>>(i%8)&1 == 0 {
			return 0, false
		}
		words := (len(own.Fields) + 63) / 64
		return u64(r.bytes[32+8*(words+i):]), true
	}
	panic("the module does not ask for " + name)
}

// bytesAt are those that a slot refers to.
func (r Row) bytesAt(slot uint64) ([]byte, bool) {
	at := slot >> 32
	if at == 0 || at+4 > uint64(len(r.bytes)) {
		return nil, false
	}
	end := at + 4 + uint64(u32(r.bytes[at:]))
	if end > uint64(len(r.bytes)) {
		return nil, false
	}
	return r.bytes[at+4 : end], true
}

// list has the slots of a column's list.
func (r Row) list(name string) []uint64 {
	slot, ok := r.slot(name)
	count, at := uint64(uint32(slot)), slot>>32
	if !ok || at+8*count > uint64(len(r.bytes)) {
		return nil
	}
	slots := make([]uint64, count)
	for i := range slots {
		slots[i] = u64(r.bytes[at+8*uint64(i):])
	}
	return slots
}

// Alert is something that a module has to say.
type Alert struct {
	hasRow  bool
	row     uint32
	rule    uint32
	message *string
	fields  []shown
}

type shown struct {
	name string
	kind uint8
	word uint64
	text string
}

// Alerts is where a module puts its alerts.
type Alerts struct {
	hasRow bool
	row    uint32
	all    []*Alert
}

// Alert is one by a rule, about the event that is judged; in Tick, about none.
func (a *Alerts) Alert(rule uint32) *Alert {
	alert := &Alert{hasRow: a.hasRow, row: a.row, rule: rule}
	a.all = append(a.all, alert)
	return alert
}

// Message is the text, where it is not the rule's output.
func (a *Alert) Message(text string) *Alert { a.message = &text; return a }

// Text, Signed, Unsigned, Real and Boolean show one more value.
func (a *Alert) Text(name, text string) *Alert { return a.show(shown{name, 0, 0, text}) }
func (a *Alert) Signed(name string, number int64) *Alert {
	return a.show(shown{name, 1, uint64(number), ""})
}
func (a *Alert) Unsigned(name string, number uint64) *Alert {
	return a.show(shown{name, 2, number, ""})
}
func (a *Alert) Real(name string, number float64) *Alert {
	return a.show(shown{name, 3, math.Float64bits(number), ""})
}
func (a *Alert) Boolean(name string, flag bool) *Alert {
	var word uint64
	if flag {
		word = 1
	}
	return a.show(shown{name, 4, word, ""})
}
func (a *Alert) show(value shown) *Alert { a.fields = append(a.fields, value); return a }

var own Module

// Export makes the module known. To be called in an `init` function.
func Export(module Module) {
	if module.Event == nil {
		panic("a module has an Event")
	}
	own = module
}

// judge hands rows over, one after the other.
func judge(rows []byte) *Alerts {
	alerts := &Alerts{hasRow: true}
	for len(rows) >= 32 {
		end := u32(rows)
		if end < 32 || int(end) > len(rows) {
			break
		}
		own.Event(Row{rows[:end:end]}, alerts)
		alerts.row++
		rows = rows[end:]
	}
	return alerts
}
