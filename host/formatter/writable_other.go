//go:build !unix

package formatter

import "os"

func exposed(string, os.FileInfo) string { return "" }
