// Start NAME.cjs with V8's compiled code of an earlier run, which is kept beside it. The code is used only where the
// very bundle, Node and processor match and its bytes are whole; where it is missing, this run leaves it behind if the
// folder can be written. Nothing here can fail the program.
"use strict"
// Put aside by the first line; what is run from here has it again.
const { NODE_EXTRA_CA_CERTS: left, PORT_SERVER_CA_CERTS: certificates } = process.env
if (left === "" && certificates !== undefined) {
  delete process.env.PORT_SERVER_CA_CERTS
  if (certificates === "") delete process.env.NODE_EXTRA_CA_CERTS
  else process.env.NODE_EXTRA_CA_CERTS = certificates
}

const fs = require("node:fs")
const { Script } = require("node:vm")

const bundle = `${__dirname}/NAME.cjs`
const cache = `${__dirname}/NAME-HASH-${process.version}-${process.arch}.cache`

/**
 * V8 does not check these bytes. One word in 16 tells a file that was cut or overwritten; an array of words, because
 * `readInt32LE` costs a call for each, in all a tenth of what a short command does.
 */
const sum = (/** @type {Buffer} */ bytes, /** @type {number} */ length) => {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, length >> 2)
  let result = length | 0
  for (let at = 0; at < words.length; at += 16) result = (Math.imul(result, 31) + (words[at] ?? 0)) | 0
  return result
}

const read = () => {
  try {
    const bytes = fs.readFileSync(cache)
    const length = bytes.length - 4
    return length > 0 && bytes.readInt32LE(length) === sum(bytes, length) ? bytes.subarray(0, length) : undefined
  } catch {
    return undefined
  }
}

// The bundle is one function expression, in ASCII, which V8 keeps at one byte a character.
const cachedData = read()
const script = new Script(fs.readFileSync(bundle, "latin1"), { filename: bundle, cachedData })

if (cachedData === undefined || script.cachedDataRejected) {
  process.on("exit", () => {
    try {
      const code = script.createCachedData()
      const end = Buffer.alloc(4)
      end.writeInt32LE(sum(code, code.length))
      const temporary = `${cache}.${process.pid}`
      fs.writeFileSync(temporary, Buffer.concat([code, end]))
      fs.chmodSync(temporary, 0o644)
      fs.renameSync(temporary, cache)
    } catch {
      // A folder that cannot be written: the next start compiles again.
    }
  })
}

// Effect reads a stack trace when it loads, to see whether a name survived in it, and goes without. Compiled code that was
// kept has no places of its functions: telling one takes V8 a second look at the whole bundle.
const { stackTraceLimit } = Error
Error.stackTraceLimit = 0
script.runInThisContext().call(exports, exports, require, module, bundle, __dirname)
Error.stackTraceLimit = stackTraceLimit
