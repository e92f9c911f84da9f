package backup

// FailLastSync lets the last step of the backups to come fail.
func (t *Target) FailLastSync(err error) { t.syncDir = func(string) error { return err } }
