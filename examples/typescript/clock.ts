// TypeScript without a build step: Node removes the types itself (22.18 and newer, or 22.6 with a flag that Rewake adds).

interface Beat {
  at: Date
  count: number
}

let count = 0

function beat(): Beat {
  count += 1
  return { at: new Date(), count }
}

setInterval(() => {
  const { at, count }: Beat = beat()
  console.log(`${count}: ${at.toISOString()}`)
}, 1000)

console.log(`the clock runs under ${process.version}`)
