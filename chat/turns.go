package chat

import (
	"errors"
	"fmt"
	"strings"
)

// Roles of what comes back from tools, as models and files call them.
const (
	Tool     = "tool"
	Function = "function"
)

// CheckTurns says what keeps a dialogue from teaching a model to answer: after what the system says, people and the assistant
// take turns, people first; what tools answer belongs to the assistant's turn. There must be an answer, and none is empty.
func CheckTurns(messages []Message) error {
	before, answers := System, 0
	for i, m := range messages {
		fits := false
		switch m.Role {
		case System, "developer":
			fits = before == System
		case User:
			fits = before == System || before == Assistant
		case Assistant:
			fits = before == User || before == Tool
			answers++
			if strings.TrimSpace(m.Content) == "" && !m.has("tool_calls") {
				return fmt.Errorf("message %d, of the assistant, is empty", i+1)
			}
		case Tool, Function:
			fits = before == Assistant || before == Tool
		default:
			return fmt.Errorf("message %d has the role %q, which is none of system, user, assistant and tool", i+1, m.Role)
		}
		if m.Role == Assistant && before == System {
			return fmt.Errorf("message %d is of the assistant, and nobody has asked anything before", i+1)
		}
		if !fits {
			return fmt.Errorf("message %d is of the %s, after one of the %s: the turns do not alternate", i+1, m.Role, before)
		}
		if before = m.Role; before == Function {
			before = Tool
		} else if before == "developer" {
			before = System
		}
	}
	if answers == 0 {
		return errors.New("there is no message of the assistant")
	}
	return nil
}

// has reports whether a message came with something under a key.
func (m Message) has(key string) bool {
	if m.all == nil {
		return false
	}
	_, ok := m.all.Get(key)
	return ok
}
