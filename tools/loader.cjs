// Start @NAME@.bundle with V8's compiled code of an earlier run, which is kept beside it. The code is used only where the
// very bundle, Node and processor match and its bytes are whole; where it is missing or spoilt, this run writes it anew
// if the folder can be written. Syntax that an old Node reads, too: it ends here, in one line.
"use strict"
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
const [neededMajor = 0, neededMinor = 0] = "@NEEDED@".split(".").map(Number)
if (major < neededMajor || (major === neededMajor && minor < neededMinor)) {
  console.error(
    `error: @NAME@ needs Node @NEEDED@ or newer, this is Node ${process.versions.node} (${process.execPath})`
  )
  process.exit(1)
}

const fs = require("node:fs")
const { Script } = require("node:vm")
const { crc32 } = require("node:zlib")

const bundle = `${__dirname}/@NAME@.bundle`
const cache = `${__dirname}/@NAME@-@HASH@-${process.version}-${process.arch}.cache`

// V8 does not check these bytes, and code that was spoilt can do anything.
const read = () => {
  try {
    const bytes = fs.readFileSync(cache)
    const length = bytes.length - 4
    return bytes.readUInt32LE(length) === crc32(bytes.subarray(0, length)) ? bytes.subarray(0, length) : undefined
  } catch (_) {
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
      end.writeUInt32LE(crc32(code))
      const temporary = `${cache}.${process.pid}`
      fs.writeFileSync(temporary, Buffer.concat([code, end]))
      fs.chmodSync(temporary, 0o644)
      fs.renameSync(temporary, cache)
    } catch (_) {
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
