package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Setting is something that the operator can set for a plugin, in a block
// plugin "NAME" { settings {} } of the daemon's configuration. The daemon checks
// the values, and starts the plugin anew when they change.
type Setting struct {
	// Name is a lower-case letter, then lower-case letters, digits and "_"; at
	// most 64 bytes.
	Name string

	// Type is the type of the value. There is no default.
	Type SettingType

	// Default is the value if the operator gives none: a string, a float64 or
	// an int, or a bool, as the Type is. If it is nil there is no default, and
	// the formatter sees the zero value.
	Default any

	// Required makes a plugin wait until the operator has given a value. It
	// can't have a Default, too.
	Required bool

	// Secret values are never shown.
	Secret bool

	// Description says what it does, for the operator; at most 1,000 bytes.
	Description string
}

// SettingType is the type of a setting's value.
type SettingType int

// The zero SettingType is not valid, so that it can't be forgotten.
const (
	String SettingType = iota + 1
	Number
	Bool
)

// Settings holds the values of a plugin's settings. It does not change, and is
// safe for concurrent use. The zero value has no settings.
type Settings struct {
	declared map[string]SettingType
	values   map[string]any // string, float64 or bool
}

// String returns the value of a setting of the type String, or "" if it has
// none. It panics if no such setting was declared.
func (s Settings) String(name string) string { return value[string](s, name, String) }

// Number returns the value of a setting of the type Number, or 0 if it has none.
// It panics if no such setting was declared.
func (s Settings) Number(name string) float64 { return value[float64](s, name, Number) }

// Bool returns the value of a setting of the type Bool, or false if it has none.
// It panics if no such setting was declared.
func (s Settings) Bool(name string) bool { return value[bool](s, name, Bool) }

func value[T any](s Settings, name string, t SettingType) (v T) {
	if s.declared[name] != t {
		panic(fmt.Sprintf("the plugin declares no setting %q of this type", name))
	}
	v, _ = s.values[name].(T)
	return v
}

// newSettings reads values from JSON over the defaults; empty text gives the
// defaults alone.
func newSettings(declared []Setting, text []byte) (Settings, error) {
	s := Settings{declared: map[string]SettingType{}, values: map[string]any{}}
	var given map[string]any
	if len(text) > 0 {
		if err := json.Unmarshal(text, &given); err != nil {
			return s, fmt.Errorf("the settings are no JSON object: %w", err)
		}
	}
	for _, d := range declared {
		s.declared[d.Name] = d.Type
		v, ok := given[d.Name]
		delete(given, d.Name)
		switch {
		case ok:
		case d.Default != nil:
			v = asJSON(d.Default)
		case d.Required:
			return s, fmt.Errorf("the setting %q has no value", d.Name)
		default:
			continue
		}
		if err := d.Type.check(v); err != nil {
			return s, fmt.Errorf("the setting %q: %w", d.Name, err)
		}
		s.values[d.Name] = v
	}
	for name := range given {
		return s, fmt.Errorf("there is no setting %q", name)
	}
	return s, nil
}

// asJSON returns a value as JSON would give it back.
func asJSON(v any) any {
	switch n := v.(type) {
	case int:
		return float64(n)
	default:
		return v
	}
}

func (t SettingType) check(v any) error {
	ok := false
	switch t {
	case String:
		_, ok = v.(string)
	case Number:
		_, ok = v.(float64)
	case Bool:
		_, ok = v.(bool)
	default:
		return errors.New("the type must be sdk.String, sdk.Number or sdk.Bool")
	}
	if !ok {
		return fmt.Errorf("a %T is not of its type", v)
	}
	return nil
}

func (s Setting) faults() []error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf(format, args...))
	}
	if err := checkName(s.Name, maxName, "_"); err != nil {
		fault("Name: %w", err)
	} else if !lowerCase(s.Name) {
		fault("Name: it must be a lower-case letter, then lower-case letters, digits and \"_\"")
	}
	if s.Type < String || s.Type > Bool {
		fault("Type: it must be sdk.String, sdk.Number or sdk.Bool")
	} else if s.Default != nil {
		if err := s.Type.check(asJSON(s.Default)); err != nil {
			fault("Default: %w", err)
		}
		if text, err := json.Marshal(s.Default); err != nil || len(text) > maxDefault {
			fault("Default: it must be JSON of at most %d bytes", maxDefault)
		}
	}
	if s.Default != nil && s.Required {
		fault("Required: a setting with a default always has a value")
	}
	if err := checkText(s.Description, maxSettingDescription); err != nil {
		fault("Description: %w", err)
	}
	return faults
}

func lowerCase(name string) bool {
	for i, r := range name {
		if (r < 'a' || r > 'z') && (i == 0 || r != '_' && (r < '0' || r > '9')) {
			return false
		}
	}
	return true
}
