package fakeprovider

import (
	"bytes"
	"compress/gzip"
	"slices"
	"strings"
)

// awkwardStreams are legal, or nearly so: the whole answer is there and must be delivered.
func awkwardStreams() []kind {
	serve := func(name, row, what string, apply func(x *exchange, p *plan)) kind {
		return streamKind(name, row, what, Serve, apply)
	}
	all := []kind{
		serve("no-done", "D11 D12 D33", "the terminator is missing", func(_ *exchange, p *plan) { p.frames = without(p.frames, frameDone) }),
		serve("done-reset", "D11 D12", "RST instead of the terminator", func(_ *exchange, p *plan) {
			p.steps = append(p.frameSteps(without(p.frames, frameDone)), step{act: reset})
		}),
		serve("done-twice", "D13", "the terminator twice", func(_ *exchange, p *plan) { p.frames = append(p.frames, p.frames[len(p.frames)-1]) }),
		serve("after-done", "D13", "content after the terminator", afterDone),
		serve("bytewise", "D19", "one byte at a time", func(_ *exchange, p *plan) {
			p.steps = []step{}
			for _, b := range firstBytes(p, 1<<30) {
				p.steps = append(p.steps, step{write: []byte{b}})
			}
		}),
		serve("surrogate", "D20", "a surrogate pair split over two deltas", splitSurrogates),
		serve("gzip-stream", "D21", "gzip, flushed with each event, whatever the request accepts", gzipStream),
		serve("wrong-type-stream", "D22", "the content type says application/json", func(_ *exchange, p *plan) { p.header.Set("Content-Type", "application/json") }),
		serve("no-type-stream", "D22", "no content type", func(_ *exchange, p *plan) { p.header["Content-Type"] = nil }),
		serve("json-for-stream", "C5", "a JSON body though a stream was asked", func(x *exchange, p *plan) {
			p.header.Set("Content-Type", "application/json")
			p.frames, p.body = nil, x.vendor.unary(x.ask, &x.reply, x.number)
		}),
		serve("empty-stream", "D25", "start and stop, no content", func(x *exchange, p *plan) { respeak(x, p, Reply{}) }),
		serve("filter-stream", "D26", "a content filter's stop after some content", func(x *exchange, p *plan) {
			respeak(x, p, Reply{Text: "Well, this is ", Stop: reasonIn(x.ask.Dialect, "filter")})
		}),
		serve("usage-twice", "D30", "cumulative usage stands in two events", usageTwice),
		serve("model-differs-stream", "C17", "another model answers", func(_ *exchange, p *plan) {
			for i := range p.frames {
				p.frames[i].data = modelMember.ReplaceAllString(p.frames[i].data, `"model":"cheap-model"`)
			}
		}),
		serve("model-change", "D31", "the model's name changes in the middle", func(_ *exchange, p *plan) {
			for i := len(p.frames) / 2; i < len(p.frames); i++ {
				p.frames[i].data = modelMember.ReplaceAllString(p.frames[i].data, `"model":"other-model"`)
			}
		}),
	}
	twice := serve("event-twice", "D14", "every event comes twice, under its one number", func(_ *exchange, p *plan) {
		var all []frame
		for _, f := range p.frames {
			all = append(all, f, f)
		}
		p.frames = all
	})
	twice.Dialect = Responses
	return append(append(all, twice), sseStyles()...)
}

// sseStyles are the ways to write the same events.
func sseStyles() []kind {
	style := func(name, what string, rewrite func(s string) string) kind {
		return streamKind("style-"+name, "D18", what, Serve, func(_ *exchange, p *plan) {
			p.steps = []step{}
			for _, f := range p.frames {
				p.steps = append(p.steps, step{write: []byte(rewrite(string(f.bytes())))})
			}
		})
	}
	first := func(name, what, before string) kind {
		return streamKind("style-"+name, "D18", what, Serve, func(_ *exchange, p *plan) {
			p.steps = append([]step{{write: []byte(before)}}, p.frameSteps(p.frames)...)
		})
	}
	openEnd := streamKind("style-open-end", "D18", "no empty line after the last event", Serve, func(_ *exchange, p *plan) {
		p.steps = p.frameSteps(p.frames)
		last := &p.steps[len(p.steps)-1]
		last.write = bytes.TrimRight(last.write, "\n")
	})
	return []kind{
		style("crlf", "lines end with CRLF", func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }),
		style("cr", "lines end with CR", func(s string) string { return strings.ReplaceAll(s, "\n", "\r") }),
		first("bom", "a byte order mark first", "\xef\xbb\xbf"),
		first("comment", "a comment before the first event", ": PROCESSING\n\n"),
		style("comments", "a comment before every event and inside it", func(s string) string { return ": hello\n\n: again\n" + s }),
		style("multiline", "the data of an event on several lines", func(s string) string {
			return strings.Replace(s, "data: {", "data: {\ndata:  ", 1)
		}),
		style("nospace", "no space after the colon", func(s string) string {
			return strings.Replace(strings.Replace(s, "event: ", "event:", 1), "data: ", "data:", 1)
		}),
		style("fields", "id, retry and unknown fields", func(s string) string { return "id: 7\nretry: 1000\nfoo: bar\n" + s }),
		style("trailing-space", "spaces after the JSON", func(s string) string { return strings.ReplaceAll(s, "}\n\n", "}   \n\n") }),
		openEnd,
	}
}

func afterDone(_ *exchange, p *plan) {
	i := slices.IndexFunc(p.frames, frame.content)
	if i < 0 {
		i = 0
	}
	p.frames = append(p.frames, p.frames[i])
}

// splitSurrogates sends an emoji as two halves of an escape, in two deltas.
func splitSurrogates(x *exchange, p *plan) {
	const high, low = "HIGHHALF", "LOWHALF"
	respeak(x, p, Reply{Text: "A smile: " + high + " " + low + " here."})
	for i, f := range p.frames {
		d := strings.Replace(f.data, high+` "`, `\ud83d"`, 1)
		p.frames[i].data = strings.Replace(d, low, `\ude00`, 1)
	}
}

func gzipStream(_ *exchange, p *plan) {
	p.header.Set("Content-Encoding", "gzip")
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	p.steps = []step{}
	flush := func(err error) {
		if err != nil {
			panic("BUG: gzip into memory: " + err.Error())
		}
		p.steps = append(p.steps, step{write: bytes.Clone(out.Bytes())})
		out.Reset()
	}
	for _, f := range p.frames {
		if _, err := w.Write(f.bytes()); err != nil {
			panic("BUG: gzip into memory: " + err.Error())
		}
		flush(w.Flush())
	}
	flush(w.Close())
}

// usageTwice puts a first, smaller count before the last one; both are cumulative.
func usageTwice(x *exchange, p *plan) {
	x.ask.Usage = true
	p.frames = x.vendor.stream(x.ask, &x.reply, x.number)
	want := frameUsage
	if x.ask.Dialect == Messages {
		want = frameFinish
	}
	i := slices.IndexFunc(p.frames, func(f frame) bool { return f.kind == want })
	if i < 0 {
		return // the count stands beside the finish, and once
	}
	less := p.frames[i]
	less.data = outputCount.ReplaceAllString(less.data, `"$1":1`)
	if want == frameFinish {
		less.data = strings.Replace(less.data, `"stop_reason":`+stopOf(x), `"stop_reason":null`, 1)
	}
	p.frames = slices.Insert(p.frames, i, less)
}

func stopOf(x *exchange) string {
	reason, _ := anthropic{}.stop(&x.reply)
	return reason
}
