package sandbox

import (
	"strings"
	"testing"
)

func TestNumbersBelowHundredAreSpelledAsInATextbook(t *testing.T) {
	english := strings.Split("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "+
		"eighteen nineteen twenty twenty-one twenty-two", " ")
	french := strings.Split("zéro,un,deux,trois,quatre,cinq,six,sept,huit,neuf,dix,onze,douze,treize,quatorze,quinze,seize,dix-sept,dix-huit,"+
		"dix-neuf,vingt,vingt et un,vingt-deux", ",")
	for n := range english {
		if englishNumber(n) != english[n] || frenchNumber(n, masculine) != french[n] {
			t.Errorf("%d is %q, %q; want %q, %q", n, englishNumber(n), frenchNumber(n, masculine), english[n], french[n])
		}
	}
	sixtyUp := strings.Split("soixante,soixante et un,soixante-deux,soixante-trois,soixante-quatre,soixante-cinq,soixante-six,soixante-sept,"+
		"soixante-huit,soixante-neuf,soixante-dix,soixante et onze,soixante-douze,soixante-treize,soixante-quatorze,soixante-quinze,"+
		"soixante-seize,soixante-dix-sept,soixante-dix-huit,soixante-dix-neuf,quatre-vingts,quatre-vingt-un,quatre-vingt-deux,"+
		"quatre-vingt-trois,quatre-vingt-quatre,quatre-vingt-cinq,quatre-vingt-six,quatre-vingt-sept,quatre-vingt-huit,"+
		"quatre-vingt-neuf,quatre-vingt-dix,quatre-vingt-onze,quatre-vingt-douze,quatre-vingt-treize,quatre-vingt-quatorze,"+
		"quatre-vingt-quinze,quatre-vingt-seize,quatre-vingt-dix-sept,quatre-vingt-dix-huit,quatre-vingt-dix-neuf", ",")
	for i, want := range sixtyUp {
		if got := frenchNumber(60+i, masculine); got != want {
			t.Errorf("%d is %q, want %q", 60+i, got, want)
		}
	}
}

func TestLargerNumbersFollowTheRulesOfCentAndMille(t *testing.T) {
	for _, test := range []struct {
		n               int
		g               gender
		english, french string
	}{
		{1, f, "one", "une"},
		{11, f, "eleven", "onze"},
		{21, f, "twenty-one", "vingt et une"},
		{31, m, "thirty-one", "trente et un"},
		{45, m, "forty-five", "quarante-cinq"},
		{59, m, "fifty-nine", "cinquante-neuf"},
		{71, f, "seventy-one", "soixante et onze"},
		{80, f, "eighty", "quatre-vingts"},
		{81, f, "eighty-one", "quatre-vingt-une"},
		{91, f, "ninety-one", "quatre-vingt-onze"},
		{100, m, "one hundred", "cent"},
		{101, f, "one hundred and one", "cent une"},
		{110, m, "one hundred and ten", "cent dix"},
		{180, m, "one hundred and eighty", "cent quatre-vingts"},
		{200, m, "two hundred", "deux cents"},
		{201, m, "two hundred and one", "deux cent un"},
		{999, m, "nine hundred and ninety-nine", "neuf cent quatre-vingt-dix-neuf"},
		{1000, m, "one thousand", "mille"},
		{1001, f, "one thousand and one", "mille une"},
		{1100, m, "one thousand one hundred", "mille cent"},
		{2000, m, "two thousand", "deux mille"},
		{2300, m, "two thousand three hundred", "deux mille trois cents"},
		{4080, m, "four thousand and eighty", "quatre mille quatre-vingts"},
		{8888, m, "eight thousand eight hundred and eighty-eight", "huit mille huit cent quatre-vingt-huit"},
		{9999, m, "nine thousand nine hundred and ninety-nine", "neuf mille neuf cent quatre-vingt-dix-neuf"},
	} {
		if got := englishNumber(test.n); got != test.english {
			t.Errorf("%d is %q, want %q", test.n, got, test.english)
		}
		if got := frenchNumber(test.n, test.g); got != test.french {
			t.Errorf("%d is %q, want %q", test.n, got, test.french)
		}
	}
}

func TestNoTwoNumbersAreSaidAlike(t *testing.T) {
	seen := map[string]int{}
	for n := range maxNumber + 1 {
		for _, text := range []string{englishNumber(n), "fr " + frenchNumber(n, masculine)} {
			if other, ok := seen[text]; ok {
				t.Fatalf("%d and %d are both %q", n, other, text)
			}
			seen[text] = n
		}
	}
}
