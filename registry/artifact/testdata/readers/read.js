// Unpacks the npm tarballs whose paths come in, one a line, as npm does, and says
// what is in each.
const [, module, dir] = process.argv
const tar = require(module), fs = require('fs'), path = require('path'), crypto = require('crypto')

function read (file, cwd) {
  const out = { files: {}, folders: [] }
  const problems = []
  let top = ''
  tar.x({
    file, cwd, strip: 1, sync: true, noChmod: true, noMtime: true, preserveOwner: false,
    onwarn: (code, message) => problems.push(`${code}: ${message}`),
    filter: (name, entry) => {
      if (!/File$|^Directory$/.test(entry.type)) problems.push(`${name} is a ${entry.type}`)
      const first = name.split('/')[0]
      if (top !== '' && top !== first) problems.push(`two top folders: ${top} and ${first}`)
      top = first
      return true
    },
  })
  for (const name of fs.readdirSync(cwd, { recursive: true })) {
    const full = path.join(cwd, name)
    if (fs.statSync(full).isFile()) {
      out.files[`${top}/${name}`] = crypto.createHash('sha256').update(fs.readFileSync(full)).digest('hex')
    } else {
      out.folders.push(`${top}/${name}`)
    }
  }
  if (problems.length > 0) out.error = problems.join('; ')
  return out
}

fs.readFileSync(0, 'utf8').trimEnd().split('\n').forEach((file, i) => {
  const cwd = path.join(dir, String(i))
  fs.mkdirSync(cwd)
  let out
  try { out = read(file, cwd) } catch (e) { out = { error: String(e) } }
  console.log(JSON.stringify(out))
})
