// Preloaded into each Node of `npm run test:sanitize`: loads the addon of the build with sanitizers
// in place of the normal one.
const load = process.dlopen
process.dlopen = (module, path, ...rest) =>
  load.call(
    process,
    module,
    path.replace('/native/build/Release/', '/native/build/sanitized/'),
    ...rest,
  )
