"""Uses transmission-remote-gtk by the names of what it shows (AT-SPI), as a screen reader does.

    gtk.py STEP...

What a step needs is waited for; nothing is clicked that cannot be clicked just now. The steps:

    choose TORRENT    selects it alone in the list
    click NAME        clicks a button or an entry of a menu; what a dialog has in front of it is out of reach
    tab NAME          shows a tab of the details
    menu FILE         opens the menu of a file
    write TEXT        writes into the only field of the dialog
    limit NAME TEXT   ticks a box of the dialog, and sets the number beside it
    see NAME          waits for a text
    dialog NAME       waits for a dialog; "dialog" alone waits until there is none, and no open menu
"""

import os
import sys
import time
import warnings

import gi

gi.require_version("Atspi", "2.0")
warnings.simplefilter("ignore")
from gi.repository import Atspi, GLib  # noqa: E402

# Nothing here takes longer unless it hangs.
HANGS_AFTER = 60
# How often is looked for a menu before the mouse is pressed again.
LOOKS = 200
MAIN = "Transmission Remote"
CLICKED = {"push button", "menu item", "check menu item", "radio menu item"}


class NotYet(Exception):
    """What is wanted is not there."""


def children(node):
    found = (node.get_child_at_index(at) for at in range(node.get_child_count()))
    return [child for child in found if child is not None]


def below(node):
    """All below it, in its order."""
    for child in children(node):
        yield child
        yield from below(child)


def one(nodes, what):
    for node in nodes:
        return node
    raise NotYet(what)


def windows():
    desktop = Atspi.get_desktop(0)
    desktop.clear_cache()
    remotes = [it for it in children(desktop) if it.get_name() == "transmission-remote-gtk"]
    return children(one(remotes, "the remote"))


def dialogs():
    """What is open above the main window: dialogs, questions and the menu of a file."""
    return [it for it in windows() if it.get_name() != MAIN]


def everything():
    return [node for window in windows() for node in below(window)]


def has(node, state):
    return node.get_state_set().contains(state)


def list_of_torrents():
    """The table with these columns, and the rows by the torrent's name."""
    for table in everything():
        if table.get_role_name() != "table":
            continue
        cells = children(table)
        columns = [cell.get_name() for cell in cells if cell.get_role_name() == "table column header"]
        if columns[:2] == ["Name", "Size"]:
            firsts = cells[len(columns) :: len(columns)]
            return table, ["".join(it.get_name() for it in children(first)) for first in firsts]
    raise NotYet("the list")


def choose(torrent):
    table, names = list_of_torrents()
    if torrent not in names:
        raise NotYet(f"{torrent} among {names}")
    row = names.index(torrent)
    if table.get_selected_rows() != [row]:
        table.clear_selection()
        table.add_row_selection(row)
        # The list may have changed meanwhile: it is read again.
        raise NotYet("it is chosen")
    # What can be done with it is offered when the remote has noticed.
    one((it for it in everything() if it.get_name() == "Properties" and it.get_n_actions()), "what can be done")


def can_be_clicked(node):
    return node.get_role_name() in CLICKED and has(node, Atspi.StateType.SENSITIVE) and node.get_n_actions() > 0


def click(name):
    in_reach = [node for window in dialogs() or windows() for node in below(window)]
    one((it for it in in_reach if it.get_name() == name and can_be_clicked(it)), f"{name} to click").do_action(0)


def tab(name):
    tabs = one((it for it in everything() if it.get_role_name() == "page tab list"), "tabs")
    names = [it.get_name() for it in children(tabs)]
    page = children(tabs)[names.index(name)]
    if not has(page, Atspi.StateType.SELECTED):
        tabs.select_child(names.index(name))
        raise NotYet(f"the tab {name}")


def menu(file):
    if not dialogs():
        cells = (it for it in everything() if it.get_name() == file and has(it, Atspi.StateType.SHOWING))
        place = one(cells, f"the file {file}").get_extents(Atspi.CoordType.SCREEN)
        Atspi.generate_mouse_event(place.x + place.width // 2, place.y + place.height // 2, "b3c")
        # It may come late, and a second press would close it.
        for _ in range(LOOKS):
            if dialogs():
                return
            time.sleep(0.05)
        raise NotYet("its menu")


def write(text):
    fields = [it for it in below(one(dialogs(), "a dialog")) if it.get_role_name() == "text"]
    field = one(fields, "a field")
    if Atspi.Text.get_text(field, 0, -1) != text:
        field.set_text_contents(text)
        raise NotYet("what was written")


def limit(name, text):
    before = None
    for node in below(one(dialogs(), "a dialog")):
        if node.get_name() == name:
            break
        before = node
    else:
        raise NotYet(name)
    if not has(node, Atspi.StateType.CHECKED):
        node.do_action(0)
        raise NotYet("the box is ticked")
    if before.get_current_value() != float(text):
        before.set_current_value(float(text))
        raise NotYet("the number")


def see(name):
    one((it for it in everything() if it.get_name() == name and has(it, Atspi.StateType.SHOWING)), name)


def dialog(name=None):
    names = [it.get_name() for it in dialogs()]
    if name not in (names or [None]):
        raise NotYet(f"{name} among {names}")


STEPS = {step.__name__: step for step in (choose, click, tab, menu, write, limit, see, dialog)}


def shown():
    """What can be seen, for a person who looks for the fault."""
    return [(it.get_role_name(), it.get_name()) for it in everything() if has(it, Atspi.StateType.SHOWING) and it.get_name()]


def do(step):
    """Does one step, or says why it cannot be done."""
    verb, *rest = step.split(" ", 1)
    arguments = rest if verb != "limit" else rest[0].rsplit(" ", 1)
    until = time.monotonic() + HANGS_AFTER
    while True:
        try:
            return STEPS[verb](*arguments)
        # What has just gone is none.
        except (NotYet, GLib.Error) as error:
            if time.monotonic() > until:
                sys.exit(f"{step}: not so: {error!r}; {shown()}")
            time.sleep(0.05)


def main(steps):
    # An answer that comes late is one.
    Atspi.set_timeout(HANGS_AFTER * 1000, HANGS_AFTER * 1000)
    for at, step in enumerate(steps, 1):
        do(step)
        if step.startswith("click "):
            # A dialog that the remote runs within its answer blocks this connection until it is closed. The next steps have
            # another one.
            os.execv(sys.executable, [sys.executable, __file__, *steps[at:]])


main(sys.argv[1:])
