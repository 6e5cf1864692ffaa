package sandbox

import "strings"

// maxNumber is the largest number that the world writes in words.
const maxNumber = 9999

var englishUnits = [...]string{
	"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
	"thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
}

var englishTens = [...]string{2: "twenty", 3: "thirty", 4: "forty", 5: "fifty", 6: "sixty", 7: "seventy", 8: "eighty", 9: "ninety"}

// englishNumber writes n, from 0 to maxNumber, in British words: "three hundred and twenty-one".
func englishNumber(n int) string {
	var words []string
	if n >= 1000 {
		words = append(words, englishUnits[n/1000], "thousand")
	}
	if hundreds := n / 100 % 10; hundreds > 0 {
		words = append(words, englishUnits[hundreds], "hundred")
	}
	rest := n % 100
	if rest == 0 && n > 0 {
		return strings.Join(words, " ")
	}
	if len(words) > 0 {
		words = append(words, "and")
	}
	switch {
	case rest < 20:
		words = append(words, englishUnits[rest])
	case rest%10 == 0:
		words = append(words, englishTens[rest/10])
	default:
		words = append(words, englishTens[rest/10]+"-"+englishUnits[rest%10])
	}
	return strings.Join(words, " ")
}

var frenchUnits = [...]string{
	"zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze",
	"treize", "quatorze", "quinze", "seize", "dix-sept", "dix-huit", "dix-neuf",
}

var frenchTens = [...]string{2: "vingt", 3: "trente", 4: "quarante", 5: "cinquante", 6: "soixante"}

// frenchNumber writes n, from 0 to maxNumber, before a noun of the given gender, in the traditional spelling:
// hyphens below one hundred but not around "et", "quatre-vingts" and "cents" with an s only at the end, "mille"
// without one, and a final "un" that agrees.
func frenchNumber(n int, g gender) string {
	var words []string
	if thousands := n / 1000; thousands > 1 {
		words = append(words, frenchUnits[thousands], "mille")
	} else if thousands == 1 {
		words = append(words, "mille")
	}
	hundreds, rest := n/100%10, n%100
	switch {
	case hundreds == 1:
		words = append(words, "cent")
	case hundreds > 1 && rest == 0:
		words = append(words, frenchUnits[hundreds], "cents")
	case hundreds > 1:
		words = append(words, frenchUnits[hundreds], "cent")
	}
	if rest > 0 || n == 0 {
		words = append(words, frenchBelowHundred(rest))
	}
	text := strings.Join(words, " ")
	if g == feminine && n%10 == 1 && rest != 11 && rest != 71 && rest != 91 {
		text += "e"
	}
	return text
}

func frenchBelowHundred(n int) string {
	tens, unit := n/10, n%10
	switch {
	case n < 20:
		return frenchUnits[n]
	case n == 80:
		return "quatre-vingts"
	case n > 80:
		return "quatre-vingt-" + frenchUnits[n-80]
	case n == 71:
		return "soixante et onze"
	case n > 71 || n == 70:
		return "soixante-" + frenchUnits[n-60]
	case unit == 0:
		return frenchTens[tens]
	case unit == 1:
		return frenchTens[tens] + " et un"
	default:
		return frenchTens[tens] + "-" + frenchUnits[unit]
	}
}
