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

// chunk is a piece of a streamed answer, as vendors send it.
const chunk = `{"id":"chatcmpl-1234567890","object":"chat.completion.chunk","created":1767225600,"model":"model-x-2026",` +
	`"service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":" word"},` +
	`"logprobs":null,"finish_reason":null}],"usage":null}`

func BenchmarkParseLenientChunk(b *testing.B) {
	doc := []byte(chunk)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseLenient(doc); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMembers(b *testing.B) {
	v := Value(chunk)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		err := v.Members(func(name []byte, _ Value) error {
			if string(name) == "choices" {
				n++
			}
			return nil
		})
		if err != nil || n != 1 {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkTreeChunk(b *testing.B) {
	doc := []byte(chunk)
	var t Tree
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		root, err := t.ParseLenient(doc)
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		err = root.Members(func(name []byte, v Node) error {
			if string(name) != "choices" {
				return nil
			}
			return v.Array(func(_ int, v Node) error {
				return v.Members(func([]byte, Node) error { n++; return nil })
			})
		})
		if err != nil || n != 4 {
			b.Fatal(n, err)
		}
	}
}
