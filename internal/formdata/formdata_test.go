package formdata

import (
	"bytes"
	"mime/multipart"
	"strings"
	"testing"
)

// form writes a form as the standard library does.
func form(t testing.TB, fields ...string) (body []byte, boundary string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(fields); i += 2 {
		if name, isFile := strings.CutPrefix(fields[i], "file:"); isFile {
			part, err := w.CreateFormFile(name, "a.wav")
			if err != nil {
				t.Fatal(err)
			}
			part.Write([]byte(fields[i+1]))
			continue
		}
		if err := w.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	return b.Bytes(), w.Boundary()
}

func TestReplace(t *testing.T) {
	t.Parallel()
	body, boundary := form(t, "file:file", "RIFF\r\n--not the boundary\r\n", "model", "whisper-1", "model ", "", "language", "sk")
	fields, ok := Find(body, boundary, "model")
	if !ok || len(fields) != 1 || string(fields[0].Value) != "whisper-1" {
		t.Fatalf("got %+v, %v, want the model", fields, ok)
	}
	got := Replace(body, fields[0], "gpt-4o-transcribe")
	want := bytes.Replace(body, []byte("whisper-1"), []byte("gpt-4o-transcribe"), 1)
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if files, ok := Find(body, boundary, "file"); !ok || len(files) != 0 {
		t.Errorf("got %d fields, %v, want files left out", len(files), ok)
	}
	if empty, ok := Find(body, boundary, "model "); !ok || len(empty) != 1 || len(empty[0].Value) != 0 {
		t.Errorf("got %+v, %v, want the empty field", empty, ok)
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	body, boundary := form(t, "model", "m", "file:file", "data")
	end := bytes.LastIndex(body, []byte("--"))
	for i := range end {
		if _, ok := Find(body[:i], boundary, "model"); ok {
			t.Errorf("cut after %d bytes: got it whole, want it malformed", i)
		}
	}
	for name, text := range map[string]string{
		"no boundary":     "hello",
		"no name":         "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--",
		"no headers":      "--b\r\n\r\nx\r\n--b--",
		"not form-data":   "--b\r\nContent-Disposition: attachment; name=model\r\n\r\nx\r\n--b--",
		"two names":       "--b\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=model\r\n\r\nx\r\n--b--",
		"bare line feed":  "--b\r\nX: y\nContent-Disposition: form-data; name=model\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--",
		"hidden name":     "--b\r\nX: y\nContent-Disposition: form-data; name=model\r\n\r\nx\r\n--b--",
		"long header":     "--b\r\nContent-Disposition: form-data; name=model\r\nX: " + strings.Repeat("x", maxHeader) + "\r\n\r\nx\r\n--b--",
		"no header's end": "--b\r\nContent-Disposition: form-data; name=a\r\n--b\r\nContent-Disposition: form-data; name=model\r\n\r\nx\r\n--b--",
		"after boundary":  "--bx\r\nContent-Disposition: form-data; name=model\r\n\r\nx\r\n--b--",
	} {
		if fields, ok := Find([]byte(text), "b", "model"); ok {
			t.Errorf("%s: got %+v, want it malformed", name, fields)
		}
	}
}

func TestBoundary(t *testing.T) {
	t.Parallel()
	for contentType, want := range map[string]string{
		`multipart/form-data; boundary=abc`:   "abc",
		`Multipart/Form-Data; boundary="a b"`: "a b",
		`multipart/form-data`:                 "",
		`multipart/mixed; boundary=abc`:       "",
		`application/json`:                    "",
		``:                                    "",
		`multipart/form-data; boundary=` + strings.Repeat("x", 71): "",
	} {
		if got, ok := Boundary(contentType); ok != (want != "") || ok && got != want {
			t.Errorf("%s: got %q, %v, want %q", contentType, got, ok, want)
		}
	}
}

// FuzzFind: what is found can be replaced by itself, and the standard library finds it too.
func FuzzFind(f *testing.F) {
	body, boundary := form(f, "model", "m", "file:file", "data")
	f.Add(body, boundary, "x")
	f.Fuzz(func(t *testing.T, body []byte, boundary, value string) {
		if boundary == "" || len(boundary) > 70 {
			return
		}
		fields, ok := Find(body, boundary, "model")
		if !ok {
			return
		}
		for _, field := range fields {
			if got := Replace(body, field, string(field.Value)); !bytes.Equal(got, body) {
				t.Fatalf("got %q, want the form as it was", got)
			}
			if strings.Contains(value, boundary) || len(value) > maxValue {
				continue
			}
			again, ok := Find(Replace(body, field, value), boundary, "model")
			if !ok || len(again) != len(fields) {
				t.Fatalf("got %d fields, %v after a replacement, want %d", len(again), ok, len(fields))
			}
		}
	})
}

func TestAdd(t *testing.T) {
	t.Parallel()
	body, boundary := form(t, "file:file", "RIFF\r\n--not the boundary\r\n", "language", "sk")
	for name, body := range map[string][]byte{"as is": body, "behind a preamble": append([]byte("nothing\r\n"), body...)} {
		got := Add(body, boundary, "model", "whisper-1")
		fields, ok := Find(got, boundary, "model")
		if !ok || len(fields) != 1 || string(fields[0].Value) != "whisper-1" {
			t.Errorf("%s: got %+v, %v, want the model", name, fields, ok)
		}
		if rest, ok := Find(got, boundary, "language"); !ok || len(rest) != 1 || !bytes.HasSuffix(got, body[bytes.Index(body, []byte("--"+boundary)):]) {
			t.Errorf("%s: got\n%s\nwant all the rest as it was", name, got)
		}
	}
}
