package jsontext

import "bytes"

// EditElements returns an array with its elements as edit has them, and whether any differs. One of which edit makes
// nothing is left out. Every byte beside stays as it is. A value that is no array stays whole.
func EditElements(array Value, edit func(Value) ([]byte, error)) (edited Value, changed bool, err error) {
	if array.Kind() != Array {
		return array, false, nil
	}
	out := make([]byte, 0, len(array))
	out = append(out, '[')
	var lead Value   // the white space at the beginning
	kept, at := 0, 1 // array[at:] is not looked at yet
	err = array.Array(func(i int, v Value) error {
		start := at
		for array[start] == ',' || isSpace(array[start]) {
			start++
		}
		between := array[at:start]
		at = start + len(v)
		if i == 0 {
			lead = between
		}
		now, err := edit(v)
		if err != nil {
			return err
		}
		changed = changed || !bytes.Equal(now, v)
		if len(now) == 0 {
			return nil
		}
		if kept == 0 {
			between = lead // what came before is gone
		}
		out = append(append(out, between...), now...)
		kept++
		return nil
	})
	if err != nil || !changed {
		return array, false, err
	}
	return append(out, array[at:]...), true, nil
}
