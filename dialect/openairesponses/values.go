package openairesponses

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/internal/jsontext"
)

// boolOf reads true or false where unset is a third answer.
func boolOf(v jsontext.Value) (*bool, error) {
	b, err := v.Bool()
	if err != nil {
		return nil, err
	}
	return &b, nil
}

// intBetween reads an integer of a range, both ends included.
func intBetween(v jsontext.Value, low, high int64) (*int64, error) {
	n, err := v.Int()
	if err != nil {
		return nil, err
	}
	if n < low || n > high {
		return nil, fmt.Errorf("expected a value between %d and %d, but got %d", low, high, n)
	}
	return &n, nil
}

// floatBetween reads a number of a range, both ends included.
func floatBetween(v jsontext.Value, low, high float64) (*float64, error) {
	f, err := v.Float()
	if err != nil {
		return nil, err
	}
	if f < low || f > high {
		return nil, fmt.Errorf("expected a value between %g and %g, but got %g", low, high, f)
	}
	return &f, nil
}

// oneOf reads one of a list of words.
func oneOf(v jsontext.Value, words ...string) (string, error) {
	s, err := v.Text()
	if err != nil {
		return "", err
	}
	if !slices.Contains(words, s) {
		return "", errors.New("supported values are " + strings.Join(words, ", "))
	}
	return s, nil
}
