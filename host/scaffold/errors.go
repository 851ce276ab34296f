package scaffold

import "errors"

// Errors of Write.
var (
	// ErrBadName: the plugin's name, the module's path or the group's name
	// can't be used.
	ErrBadName = errors.New("bad name")
	// ErrNotEmpty: the folder has something in it.
	ErrNotEmpty = errors.New("the folder is not empty")
)
