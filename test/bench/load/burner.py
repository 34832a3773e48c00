"""Takes CPU time as miners and others do: burner.py KIND SECONDS_OF_REST.

steady: one thread that never rests; many: twenty such processes; duty: works 45 ms of each 100; moving: eight threads
that hand the work on every second; batch: twenty seconds of work, twenty of rest.
"""
import os
import sys
import threading
import time


def work(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


kind, rest = sys.argv[1], float(sys.argv[2])
time.sleep(rest)
if kind == "many":
    for _ in range(19):
        if os.fork() == 0:
            break
if kind in ("steady", "many"):
    work(float("inf"))
elif kind == "duty":
    while True:
        work(0.045)
        time.sleep(0.055)
elif kind == "batch":
    while True:
        work(20)
        time.sleep(20)
elif kind == "moving":
    turn = 0

    def worker(number):
        global turn
        while True:
            if turn % 8 == number:
                work(1)
                turn += 1
            else:
                time.sleep(0.01)

    for number in range(8):
        threading.Thread(target=worker, args=(number,)).start()
