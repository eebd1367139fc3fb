// Package libpf has what Alloy's packages name of the real one, which the module proxy serves in no version. It belongs
// to profiling, which no component of this build does: nothing here ever runs.
package libpf

// FileID names an executable file.
type FileID struct{ high, low uint64 }

// StringNoQuotes gives the name in hexadecimal.
func (FileID) StringNoQuotes() string { return "" }

// Hash32 gives a short hash of the name.
func (id FileID) Hash32() uint32 { return uint32(id.low) }

// Text is a string that is stored once.
type Text struct{ text string }

// String gives the text.
func (text Text) String() string { return text.text }

// FrameMappingFileData describes the file that a frame lies in.
type FrameMappingFileData struct {
	FileID     FileID
	FileName   Text
	GnuBuildID string
}

// FrameMappingFile refers to such a description.
type FrameMappingFile struct{ data *FrameMappingFileData }

// Value gives the description.
func (file FrameMappingFile) Value() FrameMappingFileData { return *file.data }
