package main

import "context"

type sftpCmd struct {
	Show sftpShowCmd `cmd:"" default:"withargs" help:"Show the address and the host keys; compare them with what your client shows at the first connection."`
}

type sftpShowCmd struct{}

// Run shows them. It needs no token.
func (sftpShowCmd) Run(ctx context.Context, root *cli, out *output) error {
	c, err := root.connect(out)
	if err != nil {
		return err
	}
	found, err := c.SFTP(ctx)
	if err != nil {
		return err
	}
	return out.answer(func() {
		address := found.Address
		if address == "" {
			address = "none: the server was started with --sftp off"
		}
		out.fields("address", address)
		for _, k := range found.HostKeys {
			out.fields(k.Type, k.Fingerprint, "known_hosts", k.PublicKey)
		}
	})
}
