//go:build wasip1

// Between a module and the world: nothing in this file concerns a module but what it may call.
package saker

import (
	"errors"
	"unsafe"
)

// What the host or an answer refers to is kept until a call is over.
var arena [][]byte

func keep(length uint32) []byte {
	// 8 more, so that it can begin where 8 divides.
	made := make([]byte, length+8)
	arena = append(arena, made)
	off := -address(made) & 7
	return made[off : off+length : off+length]
}

func address(bytes []byte) uint32 { return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(bytes)))) }

func put32(b []byte, at int, word uint32) {
	b[at], b[at+1], b[at+2], b[at+3] = byte(word), byte(word>>8), byte(word>>16), byte(word>>24)
}

func putText(b []byte, at int, text string) {
	made := keep(uint32(len(text)))
	copy(made, text)
	put32(b, at, address(made))
	put32(b, at+4, uint32(len(text)))
}

func putTexts(b []byte, at int, texts []string) {
	list := keep(uint32(8 * len(texts)))
	for i, text := range texts {
		putText(list, 8*i, text)
	}
	put32(b, at, address(list))
	put32(b, at+4, uint32(len(texts)))
}

func given(at, length uint32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(uintptr(at))), length)
}

//go:wasmexport cabi_realloc
func realloc(old, oldLength, align, length uint32) uint32 {
	made := keep(length)
	if oldLength > 0 {
		copy(made, given(old, min(oldLength, length)))
	}
	return address(made)
}

//go:wasmexport saker:rules/module@0.1.0#describe
func describe() uint32 {
	made := keep(52)
	putText(made, 0, own.Name)
	version := own.Version
	if version == "" {
		version = "0.1.0"
	}
	putText(made, 8, version)
	rules := keep(uint32(36 * len(own.Rules)))
	for i, rule := range own.Rules {
		at := 36 * i
		putText(rules, at, rule.Name)
		putText(rules, at+8, rule.Description)
		rules[at+16] = byte(rule.Priority)
		putTexts(rules, at+20, rule.Tags)
		putText(rules, at+28, rule.Output)
	}
	put32(made, 16, address(rules))
	put32(made, 20, uint32(len(own.Rules)))
	putText(made, 24, own.Condition)
	names := make([]string, len(own.Fields))
	for i, field := range own.Fields {
		names[i] = field.field()
	}
	putTexts(made, 32, names)
	wanted := keep(uint32(len(own.Capabilities)))
	for i, capability := range own.Capabilities {
		wanted[i] = byte(capability)
	}
	put32(made, 40, address(wanted))
	put32(made, 44, uint32(len(own.Capabilities)))
	made[48] = byte(own.State)
	return address(made)
}

//go:wasmexport saker:rules/module@0.1.0#init
func start(config, count, layout, columns uint32) uint32 {
	settings := map[string]string{}
	for _, pair := range headersAt(config, count) {
		settings[pair.Name] = pair.Value
	}
	_ = layout
	if int(columns) != len(own.Fields) {
		panic("rows have other columns than the module was built for")
	}
	made := keep(12)
	if own.Start != nil {
		if err := own.Start(settings); err != nil {
			made[0] = 1
			putText(made, 4, err.Error())
		}
	}
	return address(made)
}

func told(alerts *Alerts) uint32 {
	list := keep(uint32(32 * len(alerts.all)))
	for i, alert := range alerts.all {
		at := 32 * i
		if alert.hasRow {
			list[at] = 1
		}
		put32(list, at+4, alert.row)
		put32(list, at+8, alert.rule)
		if alert.message != nil {
			list[at+12] = 1
			putText(list, at+16, *alert.message)
		}
		fields := keep(uint32(24 * len(alert.fields)))
		for j, field := range alert.fields {
			to := 24 * j
			putText(fields, to, field.name)
			fields[to+8] = field.kind
			if field.kind == 0 {
				putText(fields, to+16, field.text)
			} else {
				put32(fields, to+16, uint32(field.word))
				put32(fields, to+20, uint32(field.word>>32))
			}
		}
		put32(list, at+24, address(fields))
		put32(list, at+28, uint32(len(alert.fields)))
	}
	made := keep(8)
	put32(made, 0, address(list))
	put32(made, 4, uint32(len(alerts.all)))
	return address(made)
}

//go:wasmexport saker:rules/module@0.1.0#on-batch
func onBatch(at, length uint32) uint32 { return told(judge(given(at, length))) }

//go:wasmexport saker:rules/module@0.1.0#on-tick
func onTick(time uint64) uint32 {
	alerts := &Alerts{}
	if own.Tick != nil {
		own.Tick(time, alerts)
	}
	return told(alerts)
}

//go:wasmexport saker:rules/module@0.1.0#on-response
func onResponse(request uint64, isError, one, two, three, four, five, cut uint32) uint32 {
	alerts := &Alerts{}
	if own.Response == nil {
		return told(alerts)
	}
	if isError != 0 {
		own.Response(request, nil, string(given(one, two)), alerts)
	} else {
		body := append([]byte(nil), given(four, five)...)
		answer := &Answer{uint16(one), headersAt(two, three), body, cut != 0}
		own.Response(request, answer, "", alerts)
	}
	return told(alerts)
}

// headersAt are the pairs of texts of a list.
func headersAt(at, count uint32) []Header {
	pairs := given(at, 16*count)
	all := make([]Header, count)
	for i := range all {
		pair := pairs[16*i:]
		all[i].Name = string(given(u32(pair), u32(pair[4:])))
		all[i].Value = string(given(u32(pair[8:]), u32(pair[12:])))
	}
	return all
}

// An answer was taken.
//
//go:wasmexport cabi_post_saker:rules/module@0.1.0#on-batch
func batchOver(uint32) { arena = nil }

//go:wasmexport cabi_post_saker:rules/module@0.1.0#on-tick
func tickOver(uint32) { arena = nil }

//go:wasmexport cabi_post_saker:rules/module@0.1.0#on-response
func responseOver(uint32) { arena = nil }

// ---- what a module may call; native.go has the stand-ins ----

//go:wasmimport saker:rules/log@0.1.0 write
func logWrite(level uint32, message unsafe.Pointer, length uint32)

//go:wasmimport saker:rules/clock@0.1.0 now
func clockNow() uint64

//go:wasmimport saker:rules/kv@0.1.0 get
func kvGet(key unsafe.Pointer, length uint32, result unsafe.Pointer)

//go:wasmimport saker:rules/kv@0.1.0 set
func kvSet(key unsafe.Pointer, keyLength uint32, value unsafe.Pointer, length uint32, result unsafe.Pointer)

//go:wasmimport saker:rules/kv@0.1.0 delete
func kvDelete(key unsafe.Pointer, length uint32)

//go:wasmimport saker:rules/metrics@0.1.0 add
func metricsAdd(name unsafe.Pointer, length uint32, by uint64, result unsafe.Pointer)

//go:wasmimport saker:rules/metrics@0.1.0 set
func metricsSet(name unsafe.Pointer, length uint32, value float64, result unsafe.Pointer)

//go:wasmimport saker:rules/http@0.1.0 submit
func httpSubmit(method unsafe.Pointer, methodLength uint32, url unsafe.Pointer, urlLength uint32,
	headers unsafe.Pointer, headersCount uint32, body unsafe.Pointer, bodyLength uint32, result unsafe.Pointer)

func pointer(text string) unsafe.Pointer { return unsafe.Pointer(unsafe.StringData(text)) }

func pointerTo(bytes []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(bytes)) }

func write(level int, message string) {
	logWrite(uint32(level), pointer(message), uint32(len(message)))
}

func now() uint64 { return clockNow() }

func get(key string) ([]byte, bool) {
	result := keep(12)
	kvGet(pointer(key), uint32(len(key)), pointerTo(result))
	if result[0]&1 == 0 {
		return nil, false
	}
	return append([]byte(nil), given(u32(result[4:]), u32(result[8:]))...), true
}

func set(key string, value []byte) error {
	result := keep(2)
	kvSet(pointer(key), uint32(len(key)), pointerTo(value), uint32(len(value)), pointerTo(result))
	return refused(result, []string{"too long", "full"})
}

func forget(key string) { kvDelete(pointer(key), uint32(len(key))) }

var metricRefusals = []string{"name", "full", "kind"}

func add(name string, by uint64) error {
	result := keep(2)
	metricsAdd(pointer(name), uint32(len(name)), by, pointerTo(result))
	return refused(result, metricRefusals)
}

func gauge(name string, value float64) error {
	result := keep(2)
	metricsSet(pointer(name), uint32(len(name)), value, pointerTo(result))
	return refused(result, metricRefusals)
}

func submit(method, url string, headers []Header, body []byte) (uint64, error) {
	pairs := keep(uint32(16 * len(headers)))
	for i, header := range headers {
		putText(pairs, 16*i, header.Name)
		putText(pairs, 16*i+8, header.Value)
	}
	result := keep(16)
	httpSubmit(pointer(method), uint32(len(method)), pointer(url), uint32(len(url)),
		pointerTo(pairs), uint32(len(headers)), pointerTo(body), uint32(len(body)), pointerTo(result))
	err := refused([]byte{result[0], result[8]},
		[]string{"not allowed", "invalid", "too long", "full", "unavailable"})
	if err != nil {
		return 0, err
	}
	return u64(result[8:]), nil
}

// refused is the error in the answer of an import, if it is one.
func refused(result []byte, words []string) error {
	if result[0]&1 == 0 {
		return nil
	}
	if int(result[1]) < len(words) {
		return errors.New(words[result[1]])
	}
	return errors.New("refused")
}
