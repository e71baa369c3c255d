from app.ui.choices import Mode
from tests.ui.helpers import shown_window, wait_until


def words(menu):
    menu.aboutToShow.emit()
    return [action.text() for action in menu.actions()]


def test_files_and_streams_are_offered_again_and_secrets_are_not_shown(qapp, portrait_clip):
    with shown_window(qapp, Mode.RENDER) as window:
        chosen = window.live.sources.chosen
        chosen.emit(str(portrait_clip))
        chosen.emit("rtsp://me:secret@127.0.0.1:9/door")
        chosen.emit("pattern")
        chosen.emit(str(portrait_clip))
        assert window.live.sources.recent == (str(portrait_clip), "rtsp://me:secret@127.0.0.1:9/door")
        offered = words(window.live.sources.menu)
        assert portrait_clip.name in offered
        assert not any("secret" in text for text in offered)
        assert any("127.0.0.1:9" in text for text in offered)
        action = next(a for a in window.live.sources.menu.actions() if a.text() == portrait_clip.name)
        window.model.set_value("camera", "source", "")
        action.trigger()
        assert window.model.settings.camera.source == str(portrait_clip)
    with shown_window(qapp, Mode.RENDER) as window:
        assert portrait_clip.name in words(window.live.sources.menu)


def test_undo_and_redo_can_be_chosen_only_when_there_is_something(qapp):
    with shown_window(qapp, Mode.RENDER) as window:
        menu = window.header.more.menu()

        def enabled():
            menu.aboutToShow.emit()
            return [action.isEnabled() for action in menu.actions()[:2]]

        assert enabled() == [False, False]
        window.model.set_value("match", "strength", 0.4)
        assert enabled() == [True, False]
        menu.actions()[0].trigger()
        wait_until(lambda: window.model.settings.match.strength == 1.0)
        assert enabled() == [False, True]


def test_a_render_shows_no_setting_that_it_does_not_follow(qapp):
    with shown_window(qapp, Mode.RENDER) as window:
        inspector = window.workspace.inspector
        live_only = [inspector.control("placement", name) for name in ("auto_frame", "crop_left", "crop_bottom")]
        inspector.show_page("placement")
        assert all(control.isHidden() for control in live_only)
        assert inspector.page("placement").more.isHidden()
        assert not inspector.control("placement", "mirror").isHidden()
        window.set_mode(Mode.LIVE)
        assert not any(control.isHidden() for control in live_only)
        assert not inspector.page("placement").more.isHidden()
