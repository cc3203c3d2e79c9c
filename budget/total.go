package budget

// TotalKey says which entries are summed up together.
type TotalKey struct {
	Day, Line int64
	Kind      Kind
	Flags     Flags
}

// Totals sums up entries. A store adds them to what it has.
func Totals(entries []Entry) map[TotalKey]*Total {
	sums := map[TotalKey]*Total{}
	for i := range entries {
		addTo(sums, &entries[i])
	}
	return sums
}

func addTo(sums map[TotalKey]*Total, e *Entry) {
	key := TotalKey{e.Day(), e.Line, e.Kind, e.Flags}
	t := sums[key]
	if t == nil {
		t = &Total{Day: key.Day, Kind: key.Kind, Flags: key.Flags}
		sums[key] = t
	}
	t.Attempts++
	t.Amount += e.Amount
	t.Input += e.Tokens.Input()
	t.Output += e.Tokens.All()
}

func (t *Total) add(other *Total) {
	t.Attempts += other.Attempts
	t.Amount += other.Amount
	t.Input += other.Input
	t.Output += other.Output
}
