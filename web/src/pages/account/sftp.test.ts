import { expect, test } from "vitest";
import { sftpCommand } from "./sftp";

test.each([
  ["127.0.0.1:2022", "sftp -P 2022 acme.ann@files.example.com"],
  ["[::]:22", "sftp acme.ann@files.example.com"],
  [":2022", "sftp -P 2022 acme.ann@files.example.com"],
])("a server at %s is reached by %s", (address, want) => {
  expect(sftpCommand(address, "files.example.com", "acme.ann")).toBe(want);
});
