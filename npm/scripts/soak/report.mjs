// What a soak found: tables that grow on stdout while it runs, and the promises that were broken.

export class Report {
  brokenPromises = []
  #tables = []
  #notes = []
  #seconds

  constructor(name) {
    this.name = name
    console.log(`\n## ${name}`)
  }

  /** Begins a table; gives what adds a row to it. */
  table(...columns) {
    const table = { columns, rows: [] }
    this.#tables.push(table)
    console.log(`\n| ${columns.join(' | ')} |\n|${columns.map((_, at) => (at === 0 ? '---' : '---:')).join('|')}|`)
    return (...cells) => {
      const row = cells.map(show)
      table.rows.push(row)
      console.log(`| ${row.join(' | ')} |`)
    }
  }

  note(text) {
    this.#notes.push(text)
    console.log(`\n${text}`)
  }

  /** A promise that did not hold. */
  broken(text) {
    this.brokenPromises.push(text)
    console.log(`\nBROKEN: ${text}`)
  }

  /** The promise `text` is broken unless `holds`. */
  promise(holds, text) {
    if (!holds) this.broken(text)
  }

  /** What is wished for, and depends on the machine: told, but no promise. */
  target(holds, text) {
    this.note(`${holds ? 'Target met' : 'TARGET MISSED'}: ${text}.`)
  }

  end(seconds) {
    this.#seconds = Math.round(seconds)
    console.log(`\n${this.name}: ${this.#seconds} s`)
  }

  value() {
    return { name: this.name, seconds: this.#seconds, tables: this.#tables, notes: this.#notes, broken: this.brokenPromises }
  }
}

function show(cell) {
  if (typeof cell !== 'number') return String(cell ?? '-')
  if (Number.isInteger(cell)) return String(cell)
  return cell.toFixed(Math.abs(cell) < 10 ? 2 : 1)
}
