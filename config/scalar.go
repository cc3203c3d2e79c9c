package config

import (
	"math"
	"reflect"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// setScalar sets a text, number or truth value, if n is one of v's kind.
func setScalar(n ast.Node, v reflect.Value) bool {
	got, ok := anyValue(n)
	if !ok {
		return false
	}
	switch v.Kind() {
	case reflect.String:
		s, ok := got.(string)
		if ok {
			v.SetString(s)
		}
		return ok
	case reflect.Bool:
		b, ok := got.(bool)
		if ok {
			v.SetBool(b)
		}
		return ok
	case reflect.Int, reflect.Int64:
		i, ok := got.(int64)
		if ok {
			v.SetInt(i)
		}
		return ok
	case reflect.Float64:
		switch x := got.(type) {
		case int64:
			v.SetFloat(float64(x))
		case float64:
			v.SetFloat(x)
		default:
			return false
		}
		return true
	case reflect.Interface:
		v.Set(reflect.ValueOf(got))
		return true
	default:
		return false
	}
}

// anyValue is n as JSON would have it.
func anyValue(n ast.Node) (any, bool) {
	switch n := n.(type) {
	case *ast.BoolNode:
		return n.Value, true
	case *ast.IntegerNode:
		switch x := n.Value.(type) {
		case int64:
			return x, true
		case uint64:
			return int64(x), x <= math.MaxInt64
		}
		return nil, false
	case *ast.FloatNode:
		return n.Value, !math.IsInf(n.Value, 0) && !math.IsNaN(n.Value)
	case *ast.SequenceNode:
		list := make([]any, len(n.Values))
		for i, value := range n.Values {
			item, ok := anyValue(value)
			if !ok {
				return nil, false
			}
			list[i] = item
		}
		return list, true
	case ast.MapNode:
		m := map[string]any{}
		for it := n.MapRange(); it.Next(); {
			key, isText := scalarText(it.Key())
			item, ok := anyValue(it.Value())
			if _, twice := m[key]; !ok || !isText || twice {
				return nil, false
			}
			m[key] = item
		}
		return m, true
	}
	text, ok := scalarText(n)
	return text, ok
}

// scalarText is the text of a scalar as it was written.
func scalarText(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// kindOf names the kind of a node for people.
func kindOf(n ast.Node) string {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.NullNode:
		return "nothing"
	case *ast.SequenceNode:
		return "a list"
	}
	return "keys and values"
}

// wanted says what v can be filled from.
func wanted(v reflect.Value) string {
	switch v.Addr().Interface().(type) {
	case *Key:
		return "env:NAME, file:/path, {command: [PROGRAM, ARGUMENT, ...]} or none"
	case *Target:
		return "provider/model"
	case *Time:
		return "a day such as 2027-01-31, or a time"
	case *Size:
		return "a size such as 64MiB"
	case *Share:
		return "a share such as 5%"
	case *After:
		return "a time such as 2s, or a percentile such as p95"
	case *Amount:
		return "an amount such as 500 USD"
	case *time.Duration:
		return "a duration such as 30s or 5m"
	}
	switch v.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		if nameField(v.Type().Elem()) < 0 {
			return "a list"
		}
	case reflect.String:
		return "text"
	case reflect.Interface:
		return "a value"
	default:
	}
	return "keys and values"
}
