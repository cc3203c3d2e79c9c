package cli

import "testing"

func TestTokens(t *testing.T) {
	for text, want := range map[string]tokens{"0": 0, "200000": 200_000, "200k": 200_000, "1M": 1_000_000} {
		var got tokens
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "k", "-1", "1.5m", "1g", "1kk", "99999999999k"} {
		var got tokens
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: got %d, want an error", text, got)
		}
	}
}

// TestDiffers counts what is not known as no difference.
func TestDiffers(t *testing.T) {
	for _, tc := range []struct {
		cells []string
		want  bool
	}{
		{[]string{"1", "1"}, false},
		{[]string{"1", "2"}, true},
		{[]string{"1", ""}, false},
		{[]string{"", "1", "2"}, true},
		{[]string{"1"}, false},
	} {
		if got := (row{cells: tc.cells}).differs(); got != tc.want {
			t.Errorf("%q: got %v, want %v", tc.cells, got, tc.want)
		}
	}
}
