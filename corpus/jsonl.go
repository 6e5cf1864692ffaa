package corpus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ReadJSONL reads a file of JSON objects, one a line, in any of three spellings:
//
//	{"source": "…", "target": "…"}
//	{"translation": {"en": "…", "fr": "…"}}
//	{"en": "…", "fr": "…"}
//
// The last two are looked up by the two languages. Other keys are ignored, blank lines are left out and counted. A
// sentence with line breaks in it becomes one line: each break with the white space around it is one space.
func ReadJSONL(path, sourceLanguage, targetLanguage string) (*Pairs, Report, error) {
	return readEach(path, func(line []byte) (source, target string, err error) {
		return parsePair(line, sourceLanguage, targetLanguage)
	})
}

func parsePair(line []byte, sourceLanguage, targetLanguage string) (source, target string, err error) {
	if len(bytes.TrimSpace(line)) == 0 {
		return "", "", nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil {
		return "", "", fmt.Errorf("must be a JSON object: %w", err)
	}
	sourceKey, targetKey, prefix := "source", "target", ""
	_, hasSource := object["source"]
	_, hasTarget := object["target"]
	if !hasSource && !hasTarget {
		if sourceLanguage == "" || targetLanguage == "" {
			return "", "", errors.New(`has neither "source" nor "target"; to look sentences up by language, say which two languages`)
		}
		sourceKey, targetKey = sourceLanguage, targetLanguage
		if raw, ok := object["translation"]; ok {
			object, prefix = nil, "translation."
			if err := json.Unmarshal(raw, &object); err != nil {
				return "", "", fmt.Errorf(`"translation" must be an object of sentences by language: %w`, err)
			}
		}
	}
	if source, err = textOf(object, prefix, sourceKey); err != nil {
		return "", "", err
	}
	target, err = textOf(object, prefix, targetKey)
	return source, target, err
}

// textOf returns the string at a key, as one line.
func textOf(object map[string]json.RawMessage, prefix, key string) (string, error) {
	raw, ok := object[key]
	if !ok {
		return "", fmt.Errorf("there is no %q", prefix+key)
	}
	if string(raw) == "null" || len(raw) == 0 || raw[0] != '"' {
		return "", fmt.Errorf("%q must be a string", prefix+key)
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", fmt.Errorf("%q must be a string: %w", prefix+key, err)
	}
	if strings.ContainsRune(text, utf8.RuneError) && hasLoneSurrogate(raw) {
		return "", fmt.Errorf("%q holds half of a surrogate pair, which is no character", prefix+key)
	}
	if strings.ContainsAny(text, "\r\n") {
		text = joinLines(text)
	}
	return strings.TrimSpace(text), nil
}

// hasLoneSurrogate says whether U+FFFD in the decoded string comes from an escape like \ud800 that stands alone: those
// that were really written are fewer than those decoded.
func hasLoneSurrogate(raw []byte) bool {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return false
	}
	written := bytes.Count(raw, []byte("\uFFFD")) + bytes.Count(bytes.ToLower(raw), []byte(`\ufffd`))
	return strings.Count(text, "\uFFFD") > written
}

// joinLines replaces each line break and the white space around it by one space.
func joinLines(text string) string {
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	joined := parts[:0]
	for _, part := range parts {
		if part = strings.TrimSpace(part); part != "" {
			joined = append(joined, part)
		}
	}
	return strings.Join(joined, " ")
}
