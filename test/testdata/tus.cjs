// Sends a file with tus-js-client: breaks off in the middle, and goes on by a new client from the same address, as a page
// does that was reloaded. Prints the submission's id. Arguments: endpoint, token, name, file.
const tus = require("tus-js-client")
const [endpoint, token, filename, path] = process.argv.slice(2)
const file = require("fs").readFileSync(path)

function send(more) {
  return new Promise((done, failed) => {
    const upload = new tus.Upload(file, {
      endpoint, metadata: {filename}, headers: {Authorization: "Bearer " + token}, chunkSize: 200_000, retryDelays: [100, 1000],
      onError: failed,
      onSuccess: ({lastResponse}) => done(lastResponse.getHeader("Tributary-Submission")),
      onChunkComplete: (_, sent, whole) => {
        if (!more.uploadUrl && sent > whole / 2) upload.abort().then(() => done(upload.url), failed)
      },
      ...more,
    })
    upload.start()
  })
}

send({}).then((url) => send({uploadUrl: url})).then((id) => console.log(id), (error) => {
  console.error(String(error))
  process.exit(1)
})
