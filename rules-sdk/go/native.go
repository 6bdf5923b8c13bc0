//go:build !wasip1

package saker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
)

// Stand-ins for what a module may call.

var (
	native struct{ now uint64 }
	kept   = map[string][]byte{}
)

func write(level int, message string) {
	fmt.Fprintln(os.Stderr, [...]string{"debug", "info", "warn", "error"}[level]+":", message)
}
func now() uint64                        { return native.now }
func get(key string) ([]byte, bool)      { value, ok := kept[key]; return value, ok }
func set(key string, value []byte) error { kept[key] = append([]byte(nil), value...); return nil }
func forget(key string)                  { delete(kept, key) }
func add(string, uint64) error           { return nil }
func gauge(string, float64) error        { return nil }
func submit(string, string, []Header, []byte) (uint64, error) {
	return 0, errors.New("unavailable")
}

// Run is a module at work without Saker, over events that a test makes up.
type Run struct {
	events, second uint64
	// Ticked are the alerts of Tick.
	Ticked []*Alert
}

// NewRun starts the exported module.
func NewRun(config map[string]string) (*Run, error) {
	if own.Start != nil {
		if err := own.Start(config); err != nil {
			return nil, err
		}
	}
	return &Run{}, nil
}

// Event hands an event over, and before it a tick if its second is another; its alerts. Values go
// by the names of fields: string, []byte, bool, int64, uint64, float64, []string, []int64. The
// condition is not looked at.
func (run *Run) Event(time uint64, values map[string]any) []*Alert {
	run.events++
	native.now = time - time%1_000_000
	second := time - time%1_000_000_000
	if run.second != 0 && second > run.second && own.Tick != nil {
		alerts := &Alerts{}
		own.Tick(second, alerts)
		run.Ticked = append(run.Ticked, alerts.all...)
	}
	run.second = max(run.second, second)
	return judge(row(time, run.events, values)).all
}

// Field is a value that the alert shows: as text, for a test to compare.
func (a *Alert) Field(name string) (string, bool) {
	for _, field := range a.fields {
		if field.name != name {
			continue
		}
		switch field.kind {
		case 0:
			return field.text, true
		case 1:
			return fmt.Sprint(int64(field.word)), true
		case 3:
			return fmt.Sprint(math.Float64frombits(field.word)), true
		case 4:
			return fmt.Sprint(field.word == 1), true
		}
		return fmt.Sprint(field.word), true
	}
	return "", false
}

func row(time, number uint64, values map[string]any) []byte {
	words := (len(own.Fields) + 63) / 64
	begin := 32 + 8*(words+len(own.Fields))
	row := make([]byte, begin)
	put := binary.LittleEndian
	pad := func(to int) {
		for len(row)%to != 0 {
			row = append(row, 0)
		}
	}
	text := func(bytes []byte) uint64 {
		pad(4)
		at := uint64(len(row))
		row = put.AppendUint32(row, uint32(len(bytes)))
		row = append(row, bytes...)
		return at << 32
	}
	list := func(slots []uint64) uint64 {
		pad(8)
		at := uint64(len(row))
		for _, slot := range slots {
			row = put.AppendUint64(row, slot)
		}
		return at<<32 | uint64(len(slots))
	}
	known := 0
	for i, column := range own.Fields {
		value, ok := values[column.field()]
		if !ok {
			continue
		}
		known++
		row[32+i/8] |= 1 << (i % 8)
		var slot uint64
		switch value := value.(type) {
		case string:
			slot = text([]byte(value))
		case []byte:
			slot = text(value)
		case bool:
			if value {
				slot = 1
			}
		case int64:
			slot = uint64(value)
		case uint64:
			slot = value
		case float64:
			slot = keyOf(value)
		case []string:
			var slots []uint64
			for _, one := range value {
				slots = append(slots, text([]byte(one)))
			}
			slot = list(slots)
		case []int64:
			var slots []uint64
			for _, one := range value {
				slots = append(slots, uint64(one))
			}
			slot = list(slots)
		default:
			panic(fmt.Sprintf("no field has values like %v", value))
		}
		put.PutUint64(row[32+8*(words+i):], slot)
	}
	if known != len(values) {
		panic(fmt.Sprintf("the module does not ask for all of %v", values))
	}
	pad(8)
	put.PutUint32(row, uint32(len(row)))
	put.PutUint64(row[8:], time)
	put.PutUint64(row[16:], number)
	return row
}
