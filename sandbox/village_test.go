package sandbox

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/parley-lm/parley/chat"
)

const manyItems = 600

func TestItemsDependOnSeedPartAndIndexAlone(t *testing.T) {
	items := func(v Village, i int) []string {
		q := v.Question(i)
		return []string{v.Document(i), contents(q.Messages), q.Answer(), contents(v.Dialogue(i, Careless))}
	}
	v := Village{Seed: 7, Part: Train}
	forwards := make([][]string, 50)
	for i := range forwards {
		forwards[i] = items(v, i)
	}
	for i := len(forwards) - 1; i >= 0; i-- {
		if again := items(v, i); !slices.Equal(again, forwards[i]) {
			t.Fatalf("item %d is %q and %q", i, forwards[i], again)
		}
	}
	for _, other := range []Village{{8, Train}, {7, Validation}} {
		for i := range forwards {
			if other.Document(i) == forwards[i][0] {
				t.Errorf("%v has the document %d of %v", other, i, v)
			}
		}
	}
}

func contents(messages []chat.Message) string {
	var b strings.Builder
	for _, m := range messages {
		b.WriteString(m.Role + ": " + m.Content + "\n")
	}
	return b.String()
}

// The state of hand-written stories, as a person reads them.
func TestStoriesMeanWhatAReaderUnderstands(t *testing.T) {
	for _, c := range []struct{ prompt, answer string }{
		{"Paul is in the park. Paul goes to the school. Where is Paul?", "In the school."},
		{"Paul is in the park. Paul takes the key. Paul goes to the castle. Where is the key?", "In the castle."},
		{"Paul is in the park. Paul takes the key. Paul goes to the castle. Paul leaves the key in the castle. Paul goes to the hotel. Where is the key?", "In the castle."},
		{"Paul is in the park. Paul takes the key. Paul leaves the key in the park. Who has the key?", "I do not know."},
		{"Marie has the hat. Marie gives the hat to Paul. Paul gives the hat to Emma. Who has the hat?", "Emma."},
		{"Marie has the hat. Where is the hat?", "I do not know."},
		{"Marie has three eggs. Marie eats two eggs. How many eggs does Marie have?", "One."},
		{"Marie has three eggs. Paul has one egg. Marie gives two eggs to Paul. How many eggs does Paul have?", "Three."},
		{"Marie has three eggs. How many eggs does Paul have?", "I do not know."},
		{"Marie has three eggs. Marie gives two eggs to Paul. How many eggs does Paul have?", "I do not know."},
		{"Paul buys two eggs. How many eggs does Paul have?", "I do not know."},
		{"Paul is taller than Marie. Emma is taller than Paul. Who is taller, Marie or Emma?", "Emma."},
		{"Marie is older than Emma. Paul is older than Marie. Who is older, Emma or Paul?", "Paul."},
		{"Paul is taller than Marie. Emma is taller than Marie. Who is taller, Paul or Emma?", "I do not know."},
		{"Paul is taller than Marie. Who is older, Paul or Marie?", "I do not know."},
		{"Hello. Translate into French: Marie has three eggs. Thank you.", "Marie a trois œufs."},
		{"Translate into French: Emma is older than Oscar.", "Emma est plus vieille qu'Oscar."},
		{"Translate into French: Paul leaves the scarf in the church.", "Paul laisse l'écharpe dans l'église."},
		{"Translate into French: Alice goes to the hotel.", "Alice va à l'hôtel."},
		{"Translate into French: Alice gives the umbrella to Marc.", "Alice donne le parapluie à Marc."},
	} {
		q, err := ReadQuestion([]chat.Message{{Role: chat.User, Content: c.prompt}})
		if err != nil {
			t.Error(err)
			continue
		}
		if q.Answer() != c.answer {
			t.Errorf("%s: the answer is %q, want %q", c.prompt, q.Answer(), c.answer)
		}
		if !q.Check(c.answer).Right() {
			t.Errorf("%s: %q is not right", c.prompt, c.answer)
		}
	}
}

func TestReadQuestionSaysWhatItCannotRead(t *testing.T) {
	for _, c := range []struct {
		messages []chat.Message
		want     string
	}{
		{nil, "last message"},
		{[]chat.Message{{Role: chat.User, Content: "Where is Paul?"}, {Role: chat.Assistant, Content: "In the park."}}, "last message"},
		{[]chat.Message{{Role: chat.User, Content: "Paul is in the park."}}, "no question"},
		{[]chat.Message{{Role: chat.User, Content: "Paul is on the moon. Where is Paul?"}}, `"Paul is on the moon."`},
		{[]chat.Message{{Role: chat.User, Content: "Paul has one egg. Paul eats two eggs. Where is Paul?"}}, "so many eggs"},
		{[]chat.Message{{Role: chat.User, Content: "Paul has the key. Marie gives the key to Emma. Who has the key?"}}, "Marie does not have the key"},
		{[]chat.Message{{Role: chat.User, Content: "Paul is taller than Marie. Marie is taller than Paul. Where is Paul?"}}, "Paul is taller"},
		{[]chat.Message{{Role: chat.User, Content: "Paul is taller than Marie. Emma is taller than Paul. Marie is taller than Emma. Where is Paul?"}}, "Emma is taller"},
	} {
		if _, err := ReadQuestion(c.messages); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want an error with %q", c.messages, err, c.want)
		}
	}
}

func TestPromptsReadBackAsTheQuestionsThatTheyAre(t *testing.T) {
	for _, part := range Parts {
		for i := range manyItems / 3 {
			q := Village{3, part}.Question(i)
			read, err := ReadQuestion(q.Messages)
			if err != nil {
				t.Fatal(err)
			}
			if read.Kind != q.Kind || read.Answer() != q.Answer() || !q.Check(read.Answer()).Right() {
				t.Errorf("%s: read as %s, %s; want %s, %s", contents(q.Messages), read.Kind, read.Answer(), q.Kind, q.Answer())
			}
		}
	}
}

// Nothing that is trained on holds a fact that the test part asks for.
func TestNeverSeenCombinationsAreNeverSeen(t *testing.T) {
	// The facts of whatever is said, read back from the text alone.
	seen := map[string]bool{}
	read := func(text string) {
		var story []event
		guessed := false // somebody's guess is no part of the story
		for _, sentence := range sentencesOf(text) {
			if strings.HasSuffix(sentence, saying) {
				guessed = true
				continue
			}
			for _, opening := range []string{"Now ", "So "} {
				sentence = capitalise(strings.TrimPrefix(sentence, opening))
			}
			if a, asks := asksByEnglish()[sentence]; asks && a.kind == Compare { // which holds the combination
				seen[orderFact(a.adjective, a.who, a.other)] = true
			}
			e, ok := eventsByEnglish()[sentence]
			if !ok {
				guessed = false
				continue
			}
			for _, f := range e.facts() {
				seen[f] = true
			}
			if !guessed {
				story = append(story, e)
			}
			guessed = false
		}
		for n := len(story); n > 0; n-- { // an ending is not part of the story
			if possible(story[:n]) {
				for _, f := range stateAfter(story[:n]).facts {
					seen[f] = true
				}
				break
			}
		}
	}
	for _, part := range []Part{Train, Validation} {
		v := Village{5, part}
		for i := range manyItems {
			read(v.Document(i))
			for _, m := range v.Dialogue(i, Careless) {
				read(m.Content)
			}
			q := v.Question(i)
			for _, m := range q.Messages {
				read(m.Content)
			}
			if q.truth != "" && q.ask.kind != Translate {
				seen[q.ask.fact(q.truth)] = true
			}
		}
	}
	for fact := range seen {
		if unseen(fact) {
			t.Errorf("held out, but seen: %s", fact)
		}
	}
	for i := range manyItems / 5 {
		q := Village{5, Unseen}.Question(i)
		switch {
		case q.Kind == Unsaid:
			if !anyUnseen(stateAfter(q.events).facts) {
				t.Errorf("nothing is new in %s", contents(q.Messages))
			}
		case !q.ask.unseen(stateAfter(q.events)):
			t.Errorf("the answer to %s was seen", contents(q.Messages))
		}
	}
	if len(seen) < 300 {
		t.Errorf("only %d facts are seen", len(seen))
	}
}

// A word must be met often enough in training for its never-seen combinations to be a fair test.
func TestEveryWordIsWellKnown(t *testing.T) {
	free := func(facts []string) float64 {
		n := 0
		for _, f := range facts {
			if !unseen(f) {
				n++
			}
		}
		return float64(n) / float64(len(facts))
	}
	check := func(what string, facts []string) {
		if share := free(facts); share < 0.5 {
			t.Errorf("%.0f %% of the facts about %s are in training", 100*share, what)
		}
	}
	for _, p := range places {
		var people, stuff []string
		for _, n := range villagers {
			people = append(people, placeFact(n.text, p))
		}
		for _, thing := range things {
			stuff = append(stuff, placeFact(thing.english, p))
		}
		check("people in the "+p.english, people)
		check("things in the "+p.english, stuff)
	}
	for _, n := range villagers {
		var facts []string
		for _, thing := range things {
			facts = append(facts, holderFact(n, thing))
		}
		check("what "+n.text+" has", facts)
	}
}

func TestStoriesAreShortAndEveryKindOfQuestionOccurs(t *testing.T) {
	kinds := map[Kind]int{}
	for i := range manyItems {
		v := Village{1, Train}
		if n := len(v.firstQuestion(v.builder(questionStream, i)).events); n < shortestStory || n > longestStory {
			t.Errorf("story %d has %d sentences", i, n)
		}
		kinds[v.Question(i).Kind]++
	}
	for _, k := range Kinds {
		if kinds[k] < manyItems/15 {
			t.Errorf("%d of %d questions are %q", kinds[k], manyItems, k)
		}
	}
}

func TestWritersAreAsTheyAreDescribed(t *testing.T) {
	rate := func(w Writer) (right, guessed float64) {
		unsaid, all := 0.0, 0.0
		for i := range manyItems {
			messages := Village{2, Train}.Dialogue(i, w)
			for at, m := range messages {
				if m.Role != chat.Assistant {
					continue
				}
				q, err := ReadQuestion(messages[:at])
				if err != nil {
					t.Fatal(err)
				}
				v := q.Check(m.Content)
				if all++; v.Right() {
					right++
				}
				if v.Outcome == Unreadable {
					t.Errorf("unreadable: %q to %q", m.Content, messages[at-1].Content)
				}
				if q.Kind == Unsaid {
					if unsaid++; v.Outcome == Guess {
						guessed++
					}
				}
			}
		}
		return right / all, guessed / unsaid
	}
	if right, _ := rate(Careful); right != 1 {
		t.Errorf("careful writers are right in %.3f of their answers", right)
	}
	right, guessed := rate(Careless)
	told := 1 - asserted/100. // questions at which nobody is said to know the answer, so that the writer may guess
	if right < 0.8 || right > 0.93 || math.Abs(guessed-told*Careless.Guesses) > 0.05 {
		t.Errorf("careless writers are right in %.2f of their answers and guess %.2f of what is not said", right, guessed)
	}
}

func TestGuessesAreRightWhereTheTellerSaysSo(t *testing.T) {
	v, rights, guesses := Village{4, Train}, 0.0, 0.0
	for i := range manyItems {
		b := v.builder(documentStream, i)
		q := v.firstQuestion(b)
		if q.ask.kind == Translate {
			continue
		}
		said, right := b.guess(q.ask, q.truth)
		verdict := q.Check(said[1])
		if verdict.Right() != right {
			t.Errorf("%s %s %s: right %v", contents(q.Messages), q.ask.text(), strings.Join(said, " "), right)
		}
		if verdict.Outcome == Unreadable || !strings.HasSuffix(said[0], saying) {
			t.Errorf("somebody guesses %q", said)
		}
		guesses++
		rights += map[bool]float64{true: 1}[right]
	}
	if share := rights / guesses; share < 0.4 || share > 0.6 {
		t.Errorf("%.2f of the guesses are right", share)
	}
}
