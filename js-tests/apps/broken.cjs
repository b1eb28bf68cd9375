// Ends at once, with a word.
console.error('cannot go on')
process.exit(7)
