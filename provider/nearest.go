package provider

import "strings"

// Nearest returns the name in known that is most like got, or "" if none is near
// enough to be meant. Case does not count.
func Nearest(got string, known []string) string {
	best, least := "", len(got)/3+2
	for _, name := range known {
		if d := distance(strings.ToLower(got), name); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance is how many letters are to be added, left out, changed or swapped with
// their neighbour to make b of a.
func distance(a, b string) int {
	const far = 1 << 10
	if len(a) > 64 || len(b) > 64 {
		return far // no key is this long
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
