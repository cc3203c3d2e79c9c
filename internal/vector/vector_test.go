package vector_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/internal/vector"
)

// Every 32-bit float survives being written and read again, bit for bit.
func TestFloatsSurvive(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var packed []byte
		for range rng.IntN(64) {
			bits := rng.Uint32()
			if f := float64(math.Float32frombits(bits)); math.IsNaN(f) || math.IsInf(f, 0) {
				continue
			}
			packed = binary.LittleEndian.AppendUint32(packed, bits)
		}
		text, err := vector.AppendNumbers(nil, packed)
		if err != nil || !json.Valid(text) {
			t.Fatalf("got %s, %v want JSON", text, err)
		}
		again, err := vector.Pack(nil, text)
		if err != nil || !bytes.Equal(again, packed) {
			t.Fatalf("got %x, %v want %x for %s", again, err, packed, text)
		}
		if len(packed) == 0 {
			continue
		}
		for _, v := range [][2][]byte{{text, nil}, {nil, packed}} {
			quoted, err := vector.Base64(v[0], v[1])
			if err != nil {
				t.Fatal(err)
			}
			decoded, err := vector.Decode(string(bytes.Trim(quoted, `"`)))
			if err != nil || !bytes.Equal(decoded, packed) {
				t.Fatalf("base64: got %x, %v want %x", decoded, err, packed)
			}
			if array, err := vector.Array(v[0], v[1]); err != nil || !bytes.Equal(array, text) {
				t.Fatalf("array: got %s, %v want %s", array, err, text)
			}
		}
	}
}

func TestAppendNumbers(t *testing.T) {
	t.Parallel()
	var packed []byte
	for _, f := range []float32{0, -0.0171, 1, 1e-7, 3.4028235e38, 0.1} {
		packed = binary.LittleEndian.AppendUint32(packed, math.Float32bits(f))
	}
	got, err := vector.AppendNumbers([]byte("x"), packed)
	if want := "x[0,-0.0171,1,1e-07,3.4028235e+38,0.1]"; err != nil || string(got) != want {
		t.Errorf("got %s, %v want %s", got, err, want)
	}
	for _, bits := range []uint32{0x7fc00000, 0x7f800000, 0xff800000} {
		if got, err := vector.AppendNumbers(nil, binary.LittleEndian.AppendUint32(nil, bits)); err == nil {
			t.Errorf("%x: got %s, want an error: JSON has no such number", bits, got)
		}
	}
	if _, err := vector.AppendNumbers(nil, []byte{1, 2, 3}); err == nil {
		t.Error("got no error for 3 bytes")
	}
}

func TestPack(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text string
		want []float32
	}{
		{"[]", nil},
		{" [ ] ", nil},
		{"[1]", []float32{1}},
		{" [ 1 ,\n-2.5e-3,0 ] ", []float32{1, -0.0025, 0}},
		{"[0.0175018310546875,-0.02139386720955372]", []float32{0.0175018310546875, -0.02139386720955372}},
		{"[1e-60]", []float32{0}},
	} {
		var want []byte
		for _, f := range tc.want {
			want = binary.LittleEndian.AppendUint32(want, math.Float32bits(f))
		}
		if got, err := vector.Pack(nil, []byte(tc.text)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, %v want %x", tc.text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "null", "{}", "[", "[1", "[1,", "[1,]", "[,1]", "[1]]", "[1 2]", `["1"]`, "[null]", "[[1]]", "[+1]", "[.5]", "[0.]", "[1.e5]", "[01]",
		"[-]", "[1e]", "[1e99]", "[0x1]", "[1_0]", "[Inf]", "[NaN]", "[--1]", "[" + strings.Repeat("9", 400) + "]",
	} {
		if got, err := vector.Pack(nil, []byte(text)); err == nil {
			t.Errorf("%s: got %x, want an error", text, got)
		}
	}
}

func TestIsNumbers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"[1]": true, "[1.5e-3, -2]": true, "[0,\n1]": true,
		"": false, "[]": false, "[ ]": false, "null": false, "7": false, "[null]": false, "[[1]]": false, `["1"]`: false, "[true,1]": false, "{}": false,
	} {
		if got := vector.IsNumbers([]byte(text)); got != want {
			t.Errorf("%s: got %v want %v", text, got, want)
		}
	}
}

func FuzzPack(f *testing.F) {
	f.Add([]byte("[1,-2.5e-3 , 0]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		packed, err := vector.Pack(nil, text)
		if err != nil {
			return
		}
		again, err := vector.AppendNumbers(nil, packed)
		if err != nil {
			t.Fatalf("%q: got a vector that cannot be written: %v", text, err)
		}
		twice, err := vector.Pack(nil, again)
		if err != nil || !bytes.Equal(twice, packed) {
			t.Fatalf("%q: got %x, %v want %x", text, twice, err, packed)
		}
		var check []float64
		if err := json.Unmarshal(text, &check); err != nil || len(check) != len(packed)/4 {
			t.Fatalf("%q: got %d numbers want %d: %v", text, len(packed)/4, len(check), err)
		}
	})
}

func BenchmarkPack1536(b *testing.B) {
	packed := make([]byte, 1536*4)
	for i := 0; i < len(packed); i += 4 {
		binary.LittleEndian.PutUint32(packed[i:], math.Float32bits(float32(math.Sin(float64(i))/20)))
	}
	text, err := vector.AppendNumbers(nil, packed)
	if err != nil {
		b.Fatal(err)
	}
	out := make([]byte, 0, len(packed))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := vector.Pack(out, text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendNumbers1536(b *testing.B) {
	packed := make([]byte, 1536*4)
	for i := 0; i < len(packed); i += 4 {
		binary.LittleEndian.PutUint32(packed[i:], math.Float32bits(float32(math.Sin(float64(i))/20)))
	}
	out := make([]byte, 0, 1<<16)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := vector.AppendNumbers(out, packed); err != nil {
			b.Fatal(err)
		}
	}
}
