// Start @NAME@.bundle with V8's compiled code of an earlier run of the command. The code is used only where the very
// bundle, Node and flags match and its bytes were not written to; where it is missing or spoilt, this run writes it anew if
// it can.
// Syntax that an old Node reads, too: it ends here, in one line.
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
const { cachedDataVersionTag, setFlagsFromString } = require("node:v8")
const { Script } = require("node:vm")

// Known to these versions of Node; a V8 without a flag would say so on stderr.
if (major >= 24 && major <= 26) {
  // Under other flags of V8 Node compiles its own modules anew, so those that a start needs are loaded before.
  for (const name of "@BUILTINS@".split(" ")) require(`node:${name}`)
  // By itself V8 remembers types of what has run 8 times, and optimizes with Maglev what has run 400 times: some sixty
  // functions while Effect starts. Both take longer than what is won by then.
  setFlagsFromString("--invocation-count-for-feedback-allocation=32")
  setFlagsFromString("--invocation-count-for-maglev=2000")
  // What a regular expression is compiled to for its first use: for Node's own of IPv6, when a server listens, 3 ms.
  setFlagsFromString("--no-regexp-peephole-optimization")
}

const bundle = `${__dirname}/@NAME@.bundle`
const user = process.geteuid ? process.geteuid() : -1

/** @template A @param {() => A} work */
const attempt = (work) => {
  try {
    return work()
  } catch (_) {
    return undefined
  }
}

// Whoever writes compiled code can do anything in our name.
/** @param {{ mode: number, uid: number }} found */
const isOurs = ({ mode, uid }) => uid === user && (mode & 0o022) === 0

const { HOME = "", XDG_CACHE_HOME = "" } = process.env
const caches = [XDG_CACHE_HOME, HOME && `${HOME}/.cache`].find((path) => path.startsWith("/"))
const folder = isOurs(fs.statSync(__dirname)) ? __dirname : caches && `${caches}/port-server`
const tag = cachedDataVersionTag().toString(16)
const base = `${folder}/@NAME@-@HASH@-${process.version}-${process.arch}-${tag}`
// What one command needs is little for another. A word that is no command ends in an error, so what a run that failed has
// compiled is kept in one file for all of them.
const common = `${base}.cache`
const own = /^[a-z]+$/.test(process.argv[2] || "") ? `${base}-${process.argv[2]}.cache` : common

/** @param {Buffer} bytes @returns {number} */
const sumOf = (bytes) => require("node:zlib").crc32(bytes)

// V8 does not check these bytes, and code that was spoilt can do anything: the time at which they were written follows
// them, and the sum of all. Summing takes 1.5 ms, so it is left out where the file has not been written to since.
/** @param {string} cache */
const read = (cache) => {
  const found = fs.statSync(cache)
  if (!folder || !isOurs(fs.statSync(folder)) || !isOurs(found)) return undefined
  const bytes = fs.readFileSync(cache)
  const end = bytes.length - 8
  const seconds = bytes.readUInt32LE(end)
  if (seconds * 1000 !== found.mtimeMs) {
    if (bytes.readUInt32LE(end + 4) !== sumOf(bytes.subarray(0, end + 4))) return undefined
    // A copy, which is as good.
    attempt(() => fs.utimesSync(cache, seconds, seconds))
  }
  return bytes.subarray(0, end)
}

// Under sudo, HOME may be another user's: nothing of root's is made there.
/** @param {string} folder */
const makeFolder = (folder) => {
  let parent = folder
  while (!fs.existsSync(parent)) parent = parent.slice(0, parent.lastIndexOf("/")) || "/"
  if ([0, user].includes(fs.statSync(parent).uid)) fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
}

/** @param {string} folder @param {string} cache @param {import("node:vm").Script} script */
const write = (folder, cache, script) => {
  makeFolder(folder)
  if (!isOurs(fs.statSync(folder))) return
  const code = script.createCachedData()
  // Even, for file systems that know no others, and in 32 bits.
  const seconds = (Math.floor(Date.now() / 2000) * 2) >>> 0
  const bytes = Buffer.concat([code, Buffer.alloc(8)])
  bytes.writeUInt32LE(seconds, code.length)
  bytes.writeUInt32LE(sumOf(bytes.subarray(0, code.length + 4)), code.length + 4)
  const temporary = `${cache}.${process.pid}`
  try {
    fs.writeFileSync(temporary, bytes, { flag: "wx", flush: true, mode: 0o600 })
    fs.utimesSync(temporary, seconds, seconds)
    fs.renameSync(temporary, cache)
  } finally {
    fs.rmSync(temporary, { force: true })
  }
  // What bundles that were replaced since have left.
  for (const name of fs.readdirSync(folder).filter((name) => name.endsWith(".cache"))) {
    const file = `${folder}/${name}`
    if (Date.now() - fs.statSync(file).mtimeMs > 30 * 86_400_000) fs.rmSync(file)
  }
}

// The bundle is one function expression, in ASCII, which V8 keeps at one byte a character.
const source = attempt(() => fs.readFileSync(bundle, "latin1"))
if (source === undefined) {
  console.error(`error: cannot read ${bundle}: build or install @NAME@ again`)
  process.exit(1)
}
const ownData = attempt(() => read(own))
const cachedData = ownData || attempt(() => read(common))
const script = new Script(source, { filename: bundle, cachedData })

// Without a place for it, the next start compiles again.
if (folder && (ownData === undefined || script.cachedDataRejected)) {
  process.on("exit", (code) => {
    if (code === 0) attempt(() => write(folder, own, script))
    else if (cachedData === undefined || script.cachedDataRejected) attempt(() => write(folder, common, script))
  })
}

// Effect reads a stack trace when it loads, to see whether a name survived in it, and goes without. Compiled code that was
// kept has no places of its functions: telling one takes V8 a second look at the whole bundle. For its clock it takes
// `performance` where there is one, which takes Node 1.5 ms to make, beside `process.hrtime`.
const { stackTraceLimit } = Error
const performance = Object.getOwnPropertyDescriptor(globalThis, "performance")
Error.stackTraceLimit = 0
Object.defineProperty(globalThis, "performance", { configurable: true, value: undefined })
script.runInThisContext().call(exports, exports, require, module, bundle, __dirname)
Error.stackTraceLimit = stackTraceLimit
if (performance) Object.defineProperty(globalThis, "performance", performance)
