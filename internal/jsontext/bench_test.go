package jsontext

import (
	"strings"
	"testing"
)

// chatBody is a chat request of about one kilobyte, as clients send it.
const chatBody = `{"model":"acme-large-2026","temperature":0.7,"max_tokens":1024,"stream":true,` +
	`"stream_options":{"include_usage":true},"messages":[{"role":"system","content":"You are a careful assistant ` +
	`who answers in plain words, names sources and says so when something is not known."},{"role":"user",` +
	`"content":"Please compare the three quotes in the table below.\n\n| supplier | price | days |\n|---|---|---|\n` +
	`| North | 1200 | 4 |\n| South | 1150 | 9 |\n| \"West\" | 1410 | 2 |\n\nWhich one would you take, and why?"},` +
	`{"role":"assistant","content":"West is fastest, South is cheapest. Is the date or the price fixed?"},` +
	`{"role":"user","content":[{"type":"text","text":"The date is: we need it within five days."}]}],` +
	`"tools":[{"type":"function","function":{"name":"lookup_supplier","description":"Finds a supplier by name",` +
	`"parameters":{"type":"object","properties":{"name":{"type":"string"},"country":{"type":"string"}},` +
	`"required":["name"]}}}],"user":"u-4711"}`

func BenchmarkCheck(b *testing.B) {
	doc := []byte(chatBody)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Check(doc, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckChinese(b *testing.B) {
	doc := []byte(`{"text":"` + strings.Repeat("我们需要在五天内完成。", 32) + `"}`)
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if err := Check(doc, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	v := Value(chatBody)
	b.ReportAllocs()
	for b.Loop() {
		if v.Get("stream_options", "include_usage") == nil {
			b.Fatal("got nothing")
		}
	}
}

func BenchmarkSetTopString(b *testing.B) {
	doc := []byte(chatBody)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := SetTopString(doc, "model", "acme-small"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendString(b *testing.B) {
	buf := make([]byte, 0, 4096)
	b.SetBytes(int64(len(chatBody)))
	for b.Loop() {
		buf = AppendString(buf[:0], chatBody)
	}
}
