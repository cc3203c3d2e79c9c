package jsontext

import (
	"strings"
	"testing"
)

func TestHasHalf(t *testing.T) {
	for in, want := range map[string]bool{
		`"a"`: false, `"\u00e9\ud83d\ude00\uD83D\uDE00"`: false, `"\\ud800"`: false, `"\\\\ud800"`: false, `"\uffff\ud7ff\ue000"`: false, `"\u"`: false, "": false,
		`"\ud800"`: true, `"\udc00"`: true, `"\\\ud800"`: true, `"\ud83d\ud83d\ude00"`: true, `"\ude00\ud83d"`: true, `"\uD83D \ude00"`: true, `"\ud83d\\ude00"`: true,
		`{"\udfff":1}`: true,
	} {
		if got := HasHalf([]byte(in)); got != want {
			t.Errorf("%s: got %v want %v", in, got, want)
		}
	}
}

func BenchmarkHasHalf(b *testing.B) {
	for name, doc := range map[string]string{
		"plain":   chatBody,
		"escapes": `{"text":"` + strings.Repeat(`\u6211\u4eec `, 80) + `"}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				if HasHalf([]byte(doc)) {
					b.Fatal("got true")
				}
			}
		})
	}
}
