package main

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// readSources gives the configuration at path by file name: one file, or every *.alloy file of a directory.
func readSources(path string) (map[string][]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	files := []string{path}
	if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(path, "*.alloy")); err != nil {
			return nil, err
		}
	}
	sources := map[string][]byte{}
	for _, file := range files {
		if sources[file], err = os.ReadFile(file); err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
	}
	return sources, nil
}

// digest gives what Alloy's metric alloy_config_hash is made from.
func digest(sources map[string][]byte) [sha256.Size]byte {
	hash := sha256.New()
	for _, file := range slices.Sorted(maps.Keys(sources)) {
		hash.Write(sources[file])
	}
	return [sha256.Size]byte(hash.Sum(nil))
}
