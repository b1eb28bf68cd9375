// Answers each number with whether it is a prime. Plain Node: `process.send` and `process.on('message')`.

function isPrime(number) {
  if (number < 2 || (number > 2 && number % 2 === 0)) return false
  for (let divisor = 3; divisor * divisor <= number; divisor += 2) {
    if (number % divisor === 0) return false
  }
  return true
}

process.on('message', ({ number }) => process.send({ number, isPrime: isPrime(number) }))
process.send('ready')
