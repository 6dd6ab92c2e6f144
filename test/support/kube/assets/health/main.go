// Reads a JSON list of objects from standard input. Writes a JSON list with what kstatus makes of each, and what the Lua health
// script in the file of the first argument makes of it. Refuses what is no list of objects, and a script that fails.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type health struct {
	Kstatus string `json:"kstatus"`
	Argo    string `json:"argo"`
	Message string `json:"message"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var objects []map[string]any
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		return fmt.Errorf("Cannot read objects: %w", err)
	}
	answers := []health{}
	for _, object := range objects {
		result, err := status.Compute(&unstructured.Unstructured{Object: integers(object).(map[string]any)})
		if err != nil {
			return fmt.Errorf("Cannot compute a status: %w", err)
		}
		argo, err := healthOf(os.Args[1], object)
		if err != nil {
			return fmt.Errorf("Cannot run the health script: %w", err)
		}
		answers = append(answers, health{Kstatus: result.Status.String(), Argo: argo, Message: result.Message})
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

// Argo CD hands the object over as the global obj, and takes the returned table's status.
func healthOf(script string, object map[string]any) (string, error) {
	state := lua.NewState()
	defer state.Close()
	state.SetGlobal("obj", luaOf(state, object))
	if err := state.DoFile(script); err != nil {
		return "", err
	}
	return lua.LVAsString(state.GetField(state.Get(-1), "status")), nil
}

func luaOf(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case map[string]any:
		table := state.NewTable()
		for key, each := range value {
			table.RawSetString(key, luaOf(state, each))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, each := range value {
			table.Append(luaOf(state, each))
		}
		return table
	case string:
		return lua.LString(value)
	case float64:
		return lua.LNumber(value)
	case bool:
		return lua.LBool(value)
	default:
		return lua.LNil
	}
}

// An unstructured object holds int64 where JSON has whole numbers.
func integers(value any) any {
	switch value := value.(type) {
	case map[string]any:
		made := map[string]any{}
		for key, each := range value {
			made[key] = integers(each)
		}
		return made
	case []any:
		made := []any{}
		for _, each := range value {
			made = append(made, integers(each))
		}
		return made
	case float64:
		if value == float64(int64(value)) {
			return int64(value)
		}
		return value
	default:
		return value
	}
}
