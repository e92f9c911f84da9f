package client

import "time"

// WebUpload is a resumable upload: a file on its way, or one that was submitted in the
// last week.
type WebUpload struct {
	ID         string    `json:"id"`
	Offset     int64     `json:"offset" doc:"How many bytes are safe"`
	Length     int64     `json:"length" doc:"How many the file has"`
	Dataset    string    `json:"dataset"`
	Date       string    `json:"date"`
	Name       string    `json:"name"`
	SHA256     string    `json:"sha256,omitempty" doc:"What the sender said that the whole file hashes to"`
	Submission string    `json:"submission,omitempty" doc:"The submission that it became"`
	CreatedAt  time.Time `json:"created_at"`
	CreatedBy  string    `json:"created_by"`
	ExpiresAt  time.Time `json:"expires_at" doc:"When it ends if nobody goes on with it"`
}

// FilesToRecognise are files that are about to be sent.
type FilesToRecognise struct {
	Files []FileToRecognise `json:"files" minItems:"1" maxItems:"500"`
}

// FileToRecognise is what is known of a file before it is sent.
type FileToRecognise struct {
	Name    string `json:"name" maxLength:"1000"`
	Dataset string `json:"dataset,omitempty" maxLength:"100" doc:"If it is said in place of being read from the name"`
	Date    string `json:"date,omitempty" maxLength:"10" doc:"YYYY-MM-DD, likewise"`
	Size    *int64 `json:"size,omitempty" minimum:"0" doc:"In bytes"`
}

// RecognisedFile is what a file would be taken for.
type RecognisedFile struct {
	Name    string `json:"name"`
	Dataset string `json:"dataset,omitempty" doc:"Absent: not known"`
	Date    string `json:"date,omitempty"`
	Problem string `json:"problem,omitempty" doc:"Why it cannot be sent so, or would be rejected for its name or size"`
}

// Preview is the start of a submission's file: its first 50 rows and 100 columns, each
// value as text, cut where it is long.
type Preview struct {
	Columns  []string    `json:"columns"`
	Rows     [][]*string `json:"rows" doc:"null: no value"`
	More     bool        `json:"more" doc:"There are more rows"`
	Hidden   int         `json:"hidden" doc:"How many columns are not shown"`
	Stopped  bool        `json:"stopped" doc:"What follows these rows cannot be read"`
	Accepted bool        `json:"accepted" doc:"The rows are of the accepted form; otherwise as they were sent"`
}
