package api

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"tributary/client"
	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/policy"
)

const (
	uploadsPath   = "/api/v1/uploads/"
	tusVersion    = "1.0.0"
	tusExtensions = "creation,creation-with-upload,termination,expiration,checksum"
	octets        = "application/offset+octet-stream"

	statusChecksum = 460 // the protocol's own
)

// uploadRoutes are the tus protocol, 1.0, and what it does not have: a list, and an
// upload in JSON. Its methods run through every check that other routes have; their
// audit entries are written by package exchange.
func (s *server) uploadRoutes() {
	add(s, route{method: http.MethodOptions, path: "/uploads", id: "discover-uploads", summary: "What of the tus protocol the server does", thing: "upload",
		audience: public, status: http.StatusNoContent}, s.discoverUploads)
	add(s, route{method: http.MethodPost, path: "/uploads", id: "create-upload", summary: "Begin a resumable upload (tus), with or without its first bytes", thing: "upload",
		action: policy.SubmissionCreate, audience: tenants, audit: "upload.create", status: http.StatusCreated, body: -1, takes: octets,
		errors: []int{http.StatusConflict, http.StatusPreconditionFailed, http.StatusRequestEntityTooLarge, statusChecksum}}, s.createUpload)
	add(s, route{method: http.MethodGet, path: "/uploads", id: "list-uploads", summary: "List resumable uploads, the newest first: those on their way, and those submitted in the last week", thing: "upload",
		action: policy.SubmissionRead, audience: tenants}, s.uploads)
	add(s, route{method: http.MethodGet, path: "/uploads/{id}", id: "show-upload", summary: "Show a resumable upload", thing: "upload",
		action: policy.SubmissionRead, audience: tenants}, s.upload)
	add(s, route{method: http.MethodHead, path: "/uploads/{id}", id: "find-upload-offset", summary: "How many bytes of an upload are safe (tus); ends a request that is still sending", thing: "upload",
		action: policy.SubmissionCreate, audience: tenants, audit: "upload.read", status: http.StatusOK, errors: []int{http.StatusLocked}}, s.uploadOffset)
	add(s, route{method: http.MethodPatch, path: "/uploads/{id}", id: "continue-upload", summary: "Send the next bytes of an upload (tus); the last ones submit the file", thing: "upload",
		action: policy.SubmissionCreate, audience: tenants, audit: "submission.receive", status: http.StatusNoContent, body: -1, takes: octets,
		errors: []int{http.StatusConflict, http.StatusPreconditionFailed, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusLocked, statusChecksum}}, s.continueUpload)
	add(s, route{method: http.MethodDelete, path: "/uploads/{id}", id: "drop-upload", summary: "End an upload (tus); what arrived of it is gone", thing: "upload",
		action: policy.SubmissionCreate, audience: tenants, audit: "upload.drop", status: http.StatusNoContent,
		errors: []int{http.StatusPreconditionFailed, http.StatusLocked}}, s.dropUpload)
	add(s, route{method: http.MethodPost, path: "/uploads/recognise", id: "recognise-uploads", summary: "What files would be taken for, by their names, before they are sent", thing: "upload",
		action: policy.SubmissionCreate, audience: tenants, audit: "upload.recognise", status: http.StatusOK}, s.recognise)
	paths := s.api.OpenAPI().Paths
	for _, op := range []*huma.Operation{paths[uploadsPath[:len(uploadsPath)-1]].Post, paths[uploadsPath+"{id}"].Patch} {
		op.Responses[strconv.Itoa(statusChecksum)].Description = title(statusChecksum)
	}
}

type tusDiscovery struct {
	Version    string `header:"Tus-Version"`
	Resumable  string `header:"Tus-Resumable"`
	Extension  string `header:"Tus-Extension"`
	Algorithms string `header:"Tus-Checksum-Algorithm"`
	MaxSize    string `header:"Tus-Max-Size" doc:"Bytes; datasets have lower limits of their own"`
}

func (s *server) discoverUploads(context.Context, *call, *struct{}) (*tusDiscovery, error) {
	return &tusDiscovery{tusVersion, tusVersion, tusExtensions, "sha256,sha1", strconv.FormatInt(exchange.MaxFile, 10)}, nil
}

// Unread is a request that a protocol's own handler reads.
type Unread struct {
	r *http.Request
	w http.ResponseWriter
}

// Resolve implements huma.Resolver.
func (u *Unread) Resolve(ctx huma.Context) []error {
	u.r, u.w = humago.Unwrap(ctx)
	return nil
}

type uploadCreation struct {
	Unread
	Resumable string `header:"Tus-Resumable" doc:"1.0.0, the version of the protocol"`
	Length    string `header:"Upload-Length" doc:"How many bytes the file has; it must be known"`
	Metadata  string `header:"Upload-Metadata" doc:"Pairs of a name and a base64 value, comma-separated: filename; dataset and date (YYYY-MM-DD), where the file's name does not say them; sha256 (hex) of the whole file, which is then checked"`
	Checksum  string `header:"Upload-Checksum" doc:"sha256 or sha1, and the base64 digest of this request's bytes; checked when it is there"`
}

// UploadProgress is what the protocol's answers say.
type UploadProgress struct {
	Resumable  string `header:"Tus-Resumable"`
	Offset     string `header:"Upload-Offset" doc:"How many bytes are safe"`
	Length     string `header:"Upload-Length"`
	Expires    string `header:"Upload-Expires" doc:"When the upload ends if nobody goes on with it"`
	Submission string `header:"Tributary-Submission" doc:"The submission that it became"`
}

func progressOf(u exchange.Upload) UploadProgress {
	return UploadProgress{tusVersion, strconv.FormatInt(u.Size, 10), strconv.FormatInt(u.Length, 10), u.ExpiresAt().UTC().Format(http.TimeFormat), u.Submission}
}

type uploadCreated struct {
	UploadProgress
	Location string `header:"Location"`
	Body     client.WebUpload
}

func (s *server) createUpload(ctx context.Context, c *call, i *uploadCreation) (*uploadCreated, error) {
	if i.r.Header.Get("Upload-Concat") != "" {
		return nil, fault.New(fault.Invalid, "Uploads cannot be made of several here. Send the file as one.")
	}
	u, err := s.tus.do(ctx, c, &i.Unread, "")
	if err != nil {
		return nil, err
	}
	return &uploadCreated{progressOf(u), uploadsPath + u.ID, uploadWord(u)}, nil
}

// UploadAt is a request about an upload.
type UploadAt struct {
	Unread
	ByID
	Resumable string `header:"Tus-Resumable" doc:"1.0.0, the version of the protocol"`
}

func (s *server) uploadOffset(ctx context.Context, c *call, i *UploadAt) (*UploadProgress, error) {
	return s.progress(ctx, c, &i.Unread, i.ID)
}

func (s *server) progress(ctx context.Context, c *call, i *Unread, id string) (*UploadProgress, error) {
	u, err := s.tus.do(ctx, c, i, id)
	if err != nil {
		return nil, err
	}
	p := progressOf(u)
	return &p, nil
}

type uploadPiece struct {
	UploadAt
	Offset   string `header:"Upload-Offset" doc:"Where these bytes begin: how many are safe"`
	Checksum string `header:"Upload-Checksum" doc:"sha256 or sha1, and the base64 digest of these bytes; checked when it is there"`
}

func (s *server) continueUpload(ctx context.Context, c *call, i *uploadPiece) (*UploadProgress, error) {
	return s.progress(ctx, c, &i.Unread, i.ID)
}

type uploadDropped struct {
	Resumable string `header:"Tus-Resumable"`
}

func (s *server) dropUpload(ctx context.Context, c *call, i *UploadAt) (*uploadDropped, error) {
	if _, err := s.tus.do(ctx, c, &i.Unread, i.ID); err != nil {
		return nil, err
	}
	return &uploadDropped{tusVersion}, nil
}

type uploadList struct {
	Paging
	Dataset string `query:"dataset"`
	Date    string `query:"date" format:"date"`
	Name    string `query:"name" doc:"The file's name"`
}

func (s *server) uploads(ctx context.Context, c *call, i *uploadList) (*list[client.WebUpload], error) {
	scope, err := c.scope(ctx)
	if err != nil {
		return nil, err
	}
	found, next, err := s.Exchange.WebUploads(ctx, scope, exchange.UploadFilter{Dataset: i.Dataset, Date: i.Date, Name: i.Name}, i.meta())
	if err != nil {
		return nil, err
	}
	return each(found, next, uploadWord), nil
}

func (s *server) upload(ctx context.Context, c *call, i *ByID) (*out[client.WebUpload], error) {
	scope, err := c.scope(ctx)
	if err != nil {
		return nil, err
	}
	u, err := s.Exchange.WebUpload(ctx, scope, i.ID)
	return answerWith(u, err, uploadWord)
}

func (s *server) recognise(ctx context.Context, c *call, i *in[client.FilesToRecognise]) (*list[client.RecognisedFile], error) {
	scope, err := c.scope(ctx)
	if err != nil {
		return nil, err
	}
	files := make([]exchange.Upload, len(i.Body.Files))
	for n, f := range i.Body.Files {
		files[n] = exchange.Upload{Name: f.Name, Folder: exchange.Folder{Dataset: f.Dataset, Date: f.Date}, Length: -1}
		if f.Size != nil {
			files[n].Length = *f.Size
		}
	}
	found, err := s.Exchange.RecogniseFiles(ctx, scope, files)
	if err != nil {
		return nil, err
	}
	return each(found, "", func(r exchange.Recognised) client.RecognisedFile {
		return client.RecognisedFile{Name: r.Name, Dataset: r.Folder.Dataset, Date: r.Folder.Date, Problem: r.Problem}
	}), nil
}

func uploadWord(u exchange.Upload) client.WebUpload {
	return client.WebUpload{ID: u.ID, Offset: u.Size, Length: u.Length, Dataset: u.Folder.Dataset, Date: u.Folder.Date, Name: u.Name,
		SHA256: hex.EncodeToString(u.SHA256), Submission: u.Submission, CreatedAt: u.CreatedAt, CreatedBy: u.CreatedBy, ExpiresAt: u.ExpiresAt()}
}

// described reads what a new upload says of itself.
func described(length int64, metadata map[string]string) (exchange.Upload, error) {
	u := exchange.Upload{Name: metadata["filename"], Length: length, Folder: exchange.Folder{Dataset: metadata["dataset"], Date: metadata["date"]}}
	if u.Name == "" {
		u.Name = metadata["name"]
	}
	if text := metadata["sha256"]; text != "" {
		sum, err := hex.DecodeString(text)
		if err != nil || len(sum) != 32 {
			return u, fault.New(fault.Invalid, "The sha256 in Upload-Metadata is not 64 hexadecimal digits.")
		}
		u.SHA256 = sum
	}
	return u, nil
}

// checksum reads an Upload-Checksum.
func checksum(header string) (algorithm string, sum []byte, err error) {
	if header == "" {
		return "", nil, nil
	}
	algorithm, text, _ := strings.Cut(header, " ")
	sum, err = base64.StdEncoding.DecodeString(text)
	if size, known := map[string]int{"sha256": 32, "sha1": 20}[algorithm]; err != nil || !known || len(sum) != size {
		return "", nil, &protocolFault{http.StatusBadRequest, fault.New(fault.Invalid, "The Upload-Checksum is not of the form sha256 BASE64, or sha1 BASE64.")}
	}
	return algorithm, sum, nil
}
