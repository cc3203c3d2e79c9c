package jsontext

import (
	"bytes"
	"errors"
	"math"
	"strconv"
)

// errRange is the reason a number does not fit.
var errRange = errors.New("number out of range")

// Int returns the value of a number that is integral, however it is spelled (5, 5.0, 5e0), and fits.
func (v Value) Int() (int64, error) {
	const few = 18 // digits, which always fit

	if end := skipDigits(v, 0); 0 < end && end <= few && end == len(v) && (v[0] != '0' || end == 1) { // as nearly all are
		n := int64(0)
		for _, c := range v {
			n = n*10 + int64(c-'0')
		}
		return n, nil
	}
	if !v.isNumber() {
		return 0, Mismatch("integer", v)
	}
	d, ok := readDecimal(v)
	if !ok {
		return 0, errRange
	}
	if d.exp < 0 {
		return 0, errors.New("want integer, got fraction")
	}
	if d.exp > 18 || len(d.digits)+int(d.exp) > 19 {
		return 0, errRange
	}
	var n uint64 // nineteen digits fit
	for _, c := range d.digits {
		n = n*10 + uint64(c-'0')
	}
	for range d.exp {
		n *= 10
	}
	switch {
	case d.negative && n <= -math.MinInt64:
		return -int64(n), nil
	case !d.negative && n <= math.MaxInt64:
		return int64(n), nil
	}
	return 0, errRange
}

// Float returns the nearest float64 to a number. It returns an error if that is not finite.
func (v Value) Float() (float64, error) {
	if !v.isNumber() {
		return 0, Mismatch("number", v)
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil {
		return 0, errRange
	}
	return f, nil
}

func (v Value) isNumber() bool {
	end, ok := numberEnd(v, 0)
	return ok && end == len(v)
}

// decimal is a number as ±digits × 10^exp. The digits neither begin nor end with 0; zero has none and exp 0.
type decimal struct {
	negative bool
	digits   []byte
	exp      int64
}

// readDecimal takes the text of a number apart. It returns false if the exponent is beyond all reason.
func readDecimal(v Value) (decimal, bool) {
	var d decimal
	mantissa, exponent := []byte(v), []byte(nil)
	if mantissa[0] == '-' {
		d.negative = true
		mantissa = mantissa[1:]
	}
	if i := bytes.IndexAny(mantissa, "eE"); i >= 0 {
		mantissa, exponent = mantissa[:i], mantissa[i+1:]
	}
	d.digits = mantissa
	if whole, fraction, ok := bytes.Cut(mantissa, []byte{'.'}); ok {
		fraction = bytes.TrimRight(fraction, "0")
		d.exp = -int64(len(fraction))
		d.digits = whole
		if len(fraction) > 0 {
			d.digits = append(whole[:len(whole):len(whole)], fraction...)
		}
	}
	d.digits = bytes.TrimLeft(d.digits, "0")
	if len(d.digits) == 0 {
		return decimal{}, true // zero has no sign here
	}
	n := len(d.digits)
	d.digits = bytes.TrimRight(d.digits, "0")
	d.exp += int64(n - len(d.digits))
	if len(exponent) == 0 {
		return d, true
	}
	e, ok := readExponent(exponent)
	d.exp += e
	return d, ok
}

func readExponent(b []byte) (int64, bool) {
	sign := int64(1)
	switch b[0] {
	case '-':
		sign = -1
		b = b[1:]
	case '+':
		b = b[1:]
	}
	b = bytes.TrimLeft(b, "0")
	if len(b) > 17 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		n = n*10 + int64(c-'0')
	}
	return sign * n, true
}
