// Prints the bytes of heap that this process uses when all garbage is gone.

global.gc()
global.gc()
process.stdout.write(String(process.memoryUsage().heapUsed))
process.disconnect()
