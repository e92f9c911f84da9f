/** The command that connects to the SFTP server: its port is the server's, its host the one that the page came from. */
export function sftpCommand(address: string, host: string, login: string): string {
  const port = address.slice(address.lastIndexOf(":") + 1);
  return `sftp${port === "22" ? "" : ` -P ${port}`} ${login}@${host}`;
}
