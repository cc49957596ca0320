"""Names that no model calls when it is loaded, and attacks do.

The table is no defence: the list of names that may be imported is. The table tells an attack from a class that nobody
has listed yet, so a name that an honest pickle calls must not be in it: `builtins.getattr` (bound methods, members of
an enum), `operator.itemgetter` (a part of many pipelines), `functools.partial`. Calling what *they* return is known-bad
by a rule of the machine.
"""

from __future__ import annotations

# A name, or a module with everything below it.
_BAD = frozenset({
    # They start programs, or reach into the system. No library pickles anything of these modules.
    "os", "posix", "nt", "subprocess", "_posixsubprocess", "pty", "popen2", "commands.getoutput",
    "commands.getstatusoutput", "platform", "resource", "fcntl", "mmap", "sys", "winreg", "_winapi", "msvcrt",
    "asyncio", "multiprocessing.util", "multiprocessing.Process", "multiprocessing.process",
    "multiprocessing.context", "distutils", "setuptools", "concurrent.futures", "threading.Thread", "threading.Timer",
    "_thread.start_new_thread", "_thread.start_new", "sched", "atexit", "test.support",
    # They create, replace or delete files.
    "shutil", "tempfile", "fileinput", "linecache", "dbm", "shelve", "zipfile", "tarfile", "sqlite3", "_sqlite3",
    "io.open", "_io.open", "io.open_code", "io.FileIO", "_io.FileIO", "codecs.open", "logging.config",
    "logging.FileHandler", "logging.basicConfig", "logging.handlers", "pathlib.Path.write_text", "pathlib.Path.unlink",
    "gzip.open",
    "bz2.open", "lzma.open", "numpy.load", "numpy.memmap", "numpy.fromfile", "numpy.save", "numpy.savez",
    "numpy.savetxt", "numpy.genfromtxt", "numpy.loadtxt", "numpy.DataSource", "numpy.lib.npyio",
    "numpy.core.memmap.memmap", "numpy._core.memmap.memmap",
    # They reach the network.
    "socket", "_socket", "ssl", "_ssl", "http.client", "http.server", "urllib.request", "urllib.urlopen", "urllib2",
    "httplib", "requests", "httpx", "aiohttp", "ftplib", "smtplib", "poplib", "imaplib", "nntplib", "telnetlib",
    "xmlrpc", "socketserver", "webbrowser", "antigravity", "wsgiref", "urllib3",
    # They import, compile or run code, or call foreign functions.
    "importlib", "imp", "runpy", "pkgutil", "zipimport", "zipfile.Path", "code.interact", "code.InteractiveConsole",
    "code.InteractiveInterpreter", "codeop", "pdb", "bdb", "profile.run", "profile.runctx", "profile.Profile",
    "cProfile.run", "cProfile.runctx", "cProfile.Profile", "trace.Trace", "timeit", "doctest", "idlelib", "lib2to3",
    "pydoc", "ctypes", "_ctypes", "cffi", "_cffi_backend", "pip", "ensurepip", "venv", "site.addsitedir",
    "types.FunctionType", "types.LambdaType", "types.CodeType", "types.ModuleType", "builtins.code", "gc",
    "rlcompleter", "smtpd", "numpy.testing", "numpy.f2py", "numpy.distutils", "pandas.eval", "torch.hub",
    "torch.utils.cpp_extension", "torch.ops.load_library", "torch.classes.load_library", "torch.jit.load",
    "cloudpickle.cloudpickle.subimport", "yaml.load", "yaml.unsafe_load", "IPython",
    # They read a pickle that this machine does not see.
    "pickle", "_pickle", "cPickle", "marshal", "dill.load", "dill.loads", "cloudpickle.load", "cloudpickle.loads",
    "joblib.load", "joblib.numpy_pickle.load", "pandas.read_pickle", "pandas.io.pickle.read_pickle", "torch.load",
    "torch.serialization.load",
    # They call what they are given.
    "functools.reduce", "_functools.reduce", "operator.call", "_operator.call", "itertools.starmap",
    "itertools.accumulate", "itertools.filterfalse", "itertools.takewhile", "itertools.dropwhile",
    "itertools.groupby",
})  # fmt: skip
# Built-in functions that run, import or open, turn a text into a name, or call what they are given.
_BUILTINS = frozenset({
    "eval", "exec", "execfile", "compile", "__import__", "open", "file", "input", "raw_input", "apply", "map", "filter",
    "setattr", "delattr", "globals", "locals", "vars", "breakpoint", "exit", "quit", "help", "__build_class__",
    "__loader__", "__spec__", "hasattr", "memoryview",
})  # fmt: skip
# Attributes that lead from any object to its code, its module or its class.
_WAYS = frozenset({
    "__globals__", "__code__", "__builtins__", "__subclasses__", "__mro__", "__bases__", "__base__", "__class__",
    "__dict__", "__getattribute__", "__getattr__", "__setattr__", "__delattr__", "__init__", "__init_subclass__",
    "__reduce__", "__reduce_ex__", "__setstate__", "__import__", "__loader__", "__spec__", "__call__", "__closure__",
    "__func__", "__self__", "__get__", "__set__", "f_globals", "gi_frame",
})  # fmt: skip
# Modules that most others import: `sklearn.utils.os.system` is `os.system`.
_REACHED = frozenset({
    "os", "posix", "subprocess", "importlib", "shutil", "socket", "builtins", "__builtins__", "ctypes", "sys", "pickle",
    "runpy", "tempfile",
})  # fmt: skip


def is_known_bad(name: str) -> bool:
    """Return whether a call of NAME, `module.name`, is something that only an attack does."""
    parts = name.split(".")
    if parts[0] == "builtins" and parts[1:2] and parts[1] in _BUILTINS:
        return True
    if any(".".join(parts[:end]) in _BAD for end in range(1, min(len(parts), 6) + 1)):
        return True
    return not _WAYS.isdisjoint(parts[1:]) or not _REACHED.isdisjoint(parts[1:-1])
