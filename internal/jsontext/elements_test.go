package jsontext

import (
	"errors"
	"testing"
)

func TestEditElements(t *testing.T) {
	edit := func(v Value) ([]byte, error) {
		switch string(v) {
		case `"drop"`:
			return nil, nil
		case `"other"`:
			return []byte(`{"a": 1}`), nil
		case `"fail"`:
			return nil, errors.New("no")
		}
		return v, nil
	}
	for in, want := range map[string]string{
		`[ 1 ,2, "drop" ]`:                `[ 1 ,2 ]`,
		`["drop", 1,  "other",3]`:         `[1,  {"a": 1},3]`,
		"[\n\"drop\",\n\"drop\",\n[1]\n]": "[\n[1]\n]",
		`["drop"]`:                        `[]`, `[]`: `[]`, `[ ]`: `[ ]`, `{"a":1}`: `{"a":1}`, `"x"`: `"x"`,
	} {
		got, changed, err := EditElements(Value(in), edit)
		if string(got) != want || changed != (in != want) || err != nil {
			t.Errorf("%s: got %s, changed %v, %v, want %s", in, got, changed, err, want)
		}
		if Check(got, Limits{}) != nil && got.Kind() == Array {
			t.Errorf("%s: got %s, want JSON", in, got)
		}
	}
	if got, changed, err := EditElements(Value(`["other","fail"]`), edit); string(got) != `["other","fail"]` || changed || err == nil {
		t.Errorf("an error: got %s, changed %v, %v, want the list as it was and the error", got, changed, err)
	}
}
