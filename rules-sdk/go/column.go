package saker

import (
	"math"
	"net/netip"
)

// Column is a field that rows may have: one of those in fields.go.
type Column interface{ field() string }

// Name is the name of a field, as in conditions.
type Name string

func (n Name) field() string { return string(n) }

func (n Name) of(argument string) Name { return n + "[" + Name(argument) + "]" }

// TextField has texts; nobody has checked that they are UTF-8.
type TextField struct{ Name }

// Of is the field with an argument, as in EvtArg.Of("name").
func (f TextField) Of(argument string) TextField { return TextField{f.of(argument)} }

// In is its value in a row, if it has one.
func (f TextField) In(row Row) (string, bool) {
	slot, ok := row.slot(f.field())
	if !ok {
		return "", false
	}
	found, ok := row.bytesAt(slot)
	return string(found), ok
}

// BytesField has any bytes, which are the row's: they are gone when the call ends.
type BytesField struct{ Name }

// Of is the field with an argument.
func (f BytesField) Of(argument string) BytesField { return BytesField{f.of(argument)} }

// In is its value in a row, if it has one.
func (f BytesField) In(row Row) ([]byte, bool) {
	slot, ok := row.slot(f.field())
	if !ok {
		return nil, false
	}
	return row.bytesAt(slot)
}

// AddressField has addresses.
type AddressField struct{ Name }

// Of is the field with an argument.
func (f AddressField) Of(argument string) AddressField { return AddressField{f.of(argument)} }

// In is its value in a row, if it has one.
func (f AddressField) In(row Row) (netip.Addr, bool) {
	found, ok := BytesField{f.Name}.In(row)
	if !ok {
		return netip.Addr{}, false
	}
	return netip.AddrFromSlice(found)
}

// BooleanField has truth values.
type BooleanField struct{ Name }

// Of is the field with an argument.
func (f BooleanField) Of(argument string) BooleanField { return BooleanField{f.of(argument)} }

// In is its value in a row, if it has one.
func (f BooleanField) In(row Row) (bool, bool) {
	slot, ok := row.slot(f.field())
	return slot != 0, ok
}

// SignedField has signed numbers.
type SignedField struct{ Name }

// Of is the field with an argument.
func (f SignedField) Of(argument string) SignedField { return SignedField{f.of(argument)} }

// In is its value in a row, if it has one.
func (f SignedField) In(row Row) (int64, bool) {
	slot, ok := row.slot(f.field())
	return int64(slot), ok
}

// UnsignedField has unsigned numbers.
type UnsignedField struct{ Name }

// Of is the field with an argument.
func (f UnsignedField) Of(argument string) UnsignedField { return UnsignedField{f.of(argument)} }

// In is its value in a row, if it has one.
func (f UnsignedField) In(row Row) (uint64, bool) { return row.slot(f.field()) }

// TimeField has times and spans, in nanoseconds; times are since 1970.
type TimeField struct{ Name }

// Of is the field with an argument.
func (f TimeField) Of(argument string) TimeField { return TimeField{f.of(argument)} }

// In is its value in a row, if it has one.
func (f TimeField) In(row Row) (uint64, bool) { return row.slot(f.field()) }

// RealField has numbers with a fraction.
type RealField struct{ Name }

// Of is the field with an argument.
func (f RealField) Of(argument string) RealField { return RealField{f.of(argument)} }

// In is its value in a row, if it has one.
func (f RealField) In(row Row) (float64, bool) {
	key, ok := row.slot(f.field())
	return ofKey(key), ok
}

// A real's key keeps the order of numbers: all bits of one below 0 are turned, the sign of another.
func keyOf(value float64) uint64 {
	bits := math.Float64bits(value)
	if bits>>63 == 1 {
		return ^bits
	}
	return bits | 1<<63
}

func ofKey(key uint64) float64 {
	if key>>63 == 1 {
		return math.Float64frombits(key &^ (1 << 63))
	}
	return math.Float64frombits(^key)
}

// TextList has lists of texts; with an argument, as in ProcAname.Of("2"), one of them.
type TextList struct{ Name }

// Of is the field with an argument.
func (f TextList) Of(argument string) TextField { return TextField{f.of(argument)} }

// In is its value in a row.
func (f TextList) In(row Row) []string {
	var texts []string
	for _, slot := range row.list(f.field()) {
		if found, ok := row.bytesAt(slot); ok {
			texts = append(texts, string(found))
		}
	}
	return texts
}

// SignedList has lists of signed numbers; with an argument, one of them.
type SignedList struct{ Name }

// Of is the field with an argument.
func (f SignedList) Of(argument string) SignedField { return SignedField{f.of(argument)} }

// In is its value in a row.
func (f SignedList) In(row Row) []int64 {
	var numbers []int64
	for _, slot := range row.list(f.field()) {
		numbers = append(numbers, int64(slot))
	}
	return numbers
}
