package app

import (
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/budget"
)

// TestInvoiceForms reads tables as vendors export them and spreadsheets write them again.
func TestInvoiceForms(t *testing.T) {
	for name, text := range map[string]string{
		"plain":                         "day,model,cost\n2026-11-27,m,0.4\n",
		"a mark and quotes, CRLF":       "\ufeff\"Cost USD\",\"Model\",\"Date\"\r\n\"0.4\",\"m\",\"2026-11-27\"\r\n\r\n",
		"a mark":                        "\ufeffday,model,cost\n2026-11-27,m,0.4\n",
		"semicolons and a comma":        "day;model;cost\n2026-11-27;m;0,4\n",
		"semicolons, three decimals":    "day;model;cost\n2026-11-27;m;0,400\n",
		"semicolons and a point":        "day;model;cost\n2026-11-27;m;0.4\n",
		"tabs":                          "day\tmodel\tcost\n2026-11-27\tm\t0.4\n",
		"spaces":                        "day,model,cost\n 2026-11-27 , m , 0.4 \n",
		"a quoted comma":                "day,model,cost\n2026-11-27,m,\"0,4\"\n",
		"an exponent":                   "day,model,cost\n2026-11-27,m,4.0E-01\n",
		"a sum of floats":               "day,model,cost\n2026-11-27,m,0.40000000000000002\n",
		"dollars":                       "day,model,cost\n2026-11-27,m,$0.40\n",
		"a sign":                        "day,model,cost\n2026-11-27,m,+$0.40\n2026-11-27,m,-$1\n2026-11-27,m,$1\n",
		"thousands":                     "day,model,cost\n2026-11-27,m,\"1,234,567.40\"\n2026-11-27,m,\"-1,234,567\"\n",
		"thousands, with points":        "day;model;cost\n2026-11-27;m;1.234.567,40\n2026-11-27;m;-1.234.567\n",
		"a time":                        "day,model,cost\n2026-11-27T23:59:59Z,m,0.4\n",
		"a time without a zone":         "day,model,cost\n2026-11-27 10:00,m,0.4\n",
		"a time of another zone":        "day,model,cost\n2026-11-28T00:00:00+09:00,m,0.4\n",
		"seconds":                       "start_time,model,cost\n1795737600,m,0.4\n",
		"a quantity in front":           "day,model,amount,cost\n2026-11-27,m,999,0.4\n",
		"an export of a vendor of note": "start_time,end_time,start_time_iso,amount_value,amount_currency,line_item\n1795737600,1795824000,2026-11-27T00:00:00+00:00,0.40000000000000002,usd,m\n",
	} {
		charges, err := readInvoice(strings.NewReader(text))
		var sum budget.Money
		for _, c := range charges {
			sum += c.Cost
			if c.Model != "m" || budget.DayName(c.Day) != "2026-11-27" {
				t.Errorf("%s: got model %q on %s, want m on 2026-11-27", name, c.Model, budget.DayName(c.Day))
			}
		}
		if err != nil || sum != budget.USD/5*2 {
			t.Errorf("%s: got %v, %v, want 0.40", name, sum, err)
		}
	}
}

// TestInvoiceRefused refuses what can be read in two ways, or in none.
func TestInvoiceRefused(t *testing.T) {
	for text, want := range map[string]string{
		"day,model,cost\n2026-11-27,m,\"1,234\"\n":          `line 2: got "1,234", want an amount`,
		"day;model;cost\n2026-11-27;m;1.234\n":              `line 2: got "1.234", want an amount`,
		"day,model,cost\n2026-11-27,m,\"1,23,456.7\"\n":     "want an amount",
		"day,model,cost\n2026-11-27,m,\"1,234.567,8\"\n":    "want an amount",
		"day,model,cost\n2026-11-27,m,\n":                   "want an amount",
		"day,model,cost\n2026-11-27,m,.\n":                  "want an amount",
		"day,model,cost\n2026-11-27,m,-+1\n":                "want an amount",
		"day,model,cost\n2026-11-27,m,NaN\n":                "want an amount",
		"day,model,cost\n2026-11-27,m,1/2\n":                "want an amount",
		"day,model,cost\n2026-11-27,m,0x10\n":               "want an amount",
		"day,model,cost\n2026-11-27,m,1e99\n":               "want an amount",
		"day,model,cost\n2026-11-27,m,99999999\n":           "want an amount",
		"day,model,cost\n2026-11-27junk,m,1\n":              `got day "2026-11-27junk"`,
		"day,model,cost\n2026-11-31,m,1\n":                  `got day "2026-11-31"`,
		"day,model,cost\n11/27/2026,m,1\n":                  `got day "11/27/2026"`,
		"day,model,cost\n2026-11-27,m,1\nTotal,,1\n":        `line 3: got day "Total"`,
		"day,model,cost,currency\n2026-11-27,m,1,EUR\n":     `line 2: got currency "EUR", want USD`,
		"day,model,cost\n2026-11-27,m\n":                    "line 2: got 2 columns",
		"day,model,quantity\n2026-11-27,m,1\n":              "got columns day, model, quantity, want one of cost_usd",
		"day,model,cost\n":                                  "got no charges",
		"":                                                  "first line: EOF",
		"\xff\xfed\x00a\x00y\x00,\x00m\x00o\x00d\x00\n\x00": "want UTF-8",
	} {
		if charges, err := readInvoice(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, %v, want an error with %q", text, charges, err, want)
		}
	}
}
