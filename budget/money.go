package budget

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Money is an amount in pico-dollars: 10⁻¹² USD. A cached token can cost 7.5 nano-dollars, and
// a sum of 9.2 million dollars still fits.
type Money int64

// USD is one dollar.
const USD Money = 1e12

// ErrRange is an amount that does not fit, or is less than nothing.
var ErrRange = errors.New("the amount is out of range")

// Plus adds two amounts.
func (m Money) Plus(n Money) (Money, error) {
	if n > 0 && m > math.MaxInt64-n || n < 0 && m < math.MinInt64-n {
		return 0, ErrRange
	}
	return m + n, nil
}

// String writes an amount in dollars, exactly, with at least two decimals: "0.0000000075".
func (m Money) String() string {
	sign, n := "", uint64(m) //nolint:gosec // made positive below
	if m < 0 {
		sign, n = "-", -n
	}
	decimals := strings.TrimRight(fmt.Sprintf("%012d", n%uint64(USD)), "0")
	for len(decimals) < 2 {
		decimals += "0"
	}
	return fmt.Sprintf("%s%d.%s", sign, n/uint64(USD), decimals)
}

// ParseMoney reads an amount in dollars as String and invoices write it. More decimals than
// twelve are refused, and so is what is no plain number: it is never rounded.
func ParseMoney(text string) (Money, error) {
	s, negative := strings.CutPrefix(text, "-")
	whole, decimals, _ := strings.Cut(s, ".")
	if whole == "" && decimals == "" || len(whole) > 7 || len(decimals) > 12 {
		return 0, errAmount(text)
	}
	var n int64
	for _, digit := range whole + decimals + strings.Repeat("0", 12-len(decimals)) {
		if digit < '0' || digit > '9' || n > (math.MaxInt64-9)/10 {
			return 0, errAmount(text)
		}
		n = n*10 + int64(digit-'0')
	}
	if negative {
		n = -n
	}
	return Money(n), nil
}

func errAmount(text string) error {
	return fmt.Errorf("got %q, want an amount in dollars such as 12.34, of seven digits at most and twelve decimals", text)
}
