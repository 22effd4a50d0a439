"""What lies in a process's memory."""


def holds(pid, needles):
    """Those of the needles (bytes) that are somewhere in it."""
    found = set()
    with open(f"/proc/{pid}/maps", encoding="ascii") as f:
        maps = [line.split() for line in f]
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for entry in maps:
            if "r" not in entry[1] or entry[-1] in ("[vvar]", "[vsyscall]"):
                continue
            begin, end = (int(x, 16) for x in entry[0].split("-"))
            try:
                mem.seek(begin)
                content = mem.read(end - begin) or b""
            except (OSError, OverflowError, MemoryError):
                continue
            found.update(n for n in needles if n in content)
    return sorted(found)
