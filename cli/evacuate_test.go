package cli

import "testing"

// TestRate has three digits, and no exponent however large or small it is.
func TestRate(t *testing.T) {
	for f, want := range map[float64]string{0: "0", 0.8716: "0.872", 0.000012: "0.000012", 12: "12", 762: "762", 123456: "123000"} {
		if got := rate(f); got != want {
			t.Errorf("%v: got %s, want %s", f, got, want)
		}
	}
}
