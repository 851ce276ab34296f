package admin

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/restante/restante/host"
)

// signInPage asks who it is.
type signInPage struct {
	frame
	Name, Next, Err string
	// Other is another way to sign in; empty if there is none.
	Other string
}

func (v *visit) from() host.SignInFrom {
	return host.SignInFrom{Address: v.address(), Agent: v.r.UserAgent()}
}

// next returns where to go after the sign-in: one of our own pages.
func next(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, Base) || strings.Contains(u.Path, "\\") {
		return Base
	}
	for part := range strings.SplitSeq(u.Path, "/") {
		if part == ".." {
			return Base
		}
	}
	return u.RequestURI()
}

// signInForm answers GET /admin/sign-in.
func (a *Admin) signInForm(v *visit) error {
	if v.user.Name != "" {
		return v.redirect(next(v.r.URL.Query().Get("next")), "")
	}
	return v.signInPage(http.StatusOK, signInPage{Next: next(v.r.URL.Query().Get("next"))})
}

func (v *visit) signInPage(status int, p signInPage) error {
	v.frame(&p.frame, "Sign in", "")
	if v.a.Provider != nil {
		p.Other = v.a.Provider.Title()
	}
	return v.render(status, "sign-in", p)
}

// signIn answers POST /admin/sign-in.
func (a *Admin) signIn(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	p := signInPage{Name: v.r.PostForm.Get("name"), Next: next(v.r.PostForm.Get("next"))}
	token, s, err := a.Users.SignIn(v.ctx(), p.Name, v.r.PostForm.Get("password"), v.from())
	return v.signedIn(p, token, s, err)
}

// signedIn answers an attempt to sign in.
func (v *visit) signedIn(p signInPage, token string, s host.Session, err error) error {
	status := http.StatusUnauthorized
	switch many, limited := errors.AsType[*host.TooManyAttemptsError](err); {
	case limited:
		status = http.StatusTooManyRequests
		p.Err = "Too many attempts. Try again in " + host.Duration(max(many.After, time.Second)) + "."
	case errors.Is(err, host.ErrSignIn):
		p.Err = "The name or the password is wrong, or the user is disabled."
	case errors.Is(err, host.ErrNameTaken), errors.Is(err, host.ErrLastAdmin), errors.Is(err, host.ErrBadUserName):
		p.Err = err.Error() + "."
	case err != nil:
		return err
	}
	if err != nil {
		v.a.Log.Warn("sign-in refused", "name", short(p.Name, host.MaxUserName), "address", v.address(), "error", err)
		return v.signInPage(status, p)
	}
	v.user.Name = s.User
	if err := v.audit("signed in", "", s.User, ""); err != nil {
		_ = v.a.Users.SignOut(v.ctx(), token)
		return err
	}
	if before := v.cookie(sessionCookie); before != "" {
		if err := v.a.Users.SignOut(v.ctx(), before); err != nil {
			v.a.Log.Warn("session before a sign-in not ended", "error", err)
		}
	}
	v.setCookie(sessionCookie, token, host.SessionLife)
	return v.redirect(p.Next, "")
}

// signOut answers POST /admin/sign-out.
func (a *Admin) signOut(v *visit) error {
	if err := v.audit("signed out", "", v.user.Name, ""); err != nil {
		a.Log.Warn("sign-out not audited", "error", err) // it must work all the same
	}
	v.setCookie(sessionCookie, "", -1) // even if the store takes no changes
	if err := a.Users.SignOut(v.ctx(), v.cookie(sessionCookie)); err != nil {
		return err
	}
	return v.redirect("/admin/sign-in", "")
}

// begunLife is how long a sign-in elsewhere may take.
const begunLife = 10 * time.Minute

// beginOther answers GET /admin/sign-in/other. What has to be known again when the
// browser comes back is in a sealed cookie.
func (a *Admin) beginOther(v *visit) error {
	if a.Provider == nil {
		return errNotFound
	}
	to, begun, err := a.Provider.Begin(v.ctx())
	if err != nil {
		a.Log.Warn("sign-in elsewhere not begun", "error", err)
		return v.signInPage(http.StatusBadGateway, signInPage{Err: "The other service does not answer. Try again, or sign in with a password."})
	}
	v.setCookie(begunCookie, a.sealer.seal(begun, time.Now().Add(begunLife)), begunLife)
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

// finishOther answers GET /admin/sign-in/callback.
func (a *Admin) finishOther(v *visit) error {
	if a.Provider == nil {
		return errNotFound
	}
	begun, ok := a.sealer.open(v.cookie(begunCookie), time.Now())
	v.setCookie(begunCookie, "", -1)
	if !ok {
		return v.signInPage(http.StatusBadRequest, signInPage{Err: "The sign-in was begun too long ago, or in another browser. Begin again."})
	}
	identity, err := a.Provider.Finish(v.ctx(), begun, v.r.URL.Query())
	if err != nil {
		a.Log.Warn("sign-in elsewhere refused", "address", v.address(), "error", err)
		return v.signInPage(http.StatusUnauthorized, signInPage{Err: signInWords(err)})
	}
	token, s, err := a.Users.SignInExternal(v.ctx(), identity, v.from())
	return v.signedIn(signInPage{Name: identity.Name, Next: Base}, token, s, err)
}

// signInWords is what a person may read of a provider's error.
func signInWords(err error) string {
	if public, ok := errors.AsType[interface {
		error
		Public() string
	}](err); ok {
		return public.Public()
	}
	return "The other service did not confirm who you are. Try again."
}

// invitationPage asks for the first or another password.
type invitationPage struct {
	frame
	Token, Err string
	Invitation host.Invitation
}

// invitation answers GET /admin/invitation.
func (a *Admin) invitation(v *visit) error {
	return v.invitationPage(http.StatusOK, invitationPage{Token: v.r.URL.Query().Get("token")})
}

func (v *visit) invitationPage(status int, p invitationPage) error {
	var err error
	if p.Invitation, err = v.a.Users.Invitation(v.ctx(), p.Token); errors.Is(err, host.ErrBadInvitation) {
		status, p.Token = http.StatusNotFound, ""
	} else if err != nil {
		return err
	}
	v.frame(&p.frame, "Invitation", "")
	v.w.Header().Set("Referrer-Policy", "no-referrer") // the address is a secret
	return v.render(status, "invitation", p)
}

// accept answers POST /admin/invitation.
func (a *Admin) accept(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	p := invitationPage{Token: v.r.PostForm.Get("token")}
	if v.r.PostForm.Get("password") != v.r.PostForm.Get("again") {
		p.Err = "The two passwords are not the same."
		return v.invitationPage(http.StatusUnprocessableEntity, p)
	}
	token, s, err := a.Users.Accept(v.ctx(), p.Token, v.r.PostForm.Get("password"), v.from())
	if errors.Is(err, host.ErrBadPassword) {
		p.Err = err.Error() + "."
		return v.invitationPage(http.StatusUnprocessableEntity, p)
	}
	if errors.Is(err, host.ErrBadInvitation) || errors.Is(err, host.ErrDisabled) {
		return v.invitationPage(http.StatusNotFound, p)
	}
	return v.signedIn(signInPage{Next: Base}, token, s, err)
}

// sealer keeps a text secret and whole while a browser has it.
type sealer struct{ aead cipher.AEAD }

// newSealer makes one with a key of its own: what it sealed is worth nothing after
// a restart.
func newSealer() *sealer {
	key := make([]byte, 32)
	rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the key has the right length
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return &sealer{aead}
}

func (s *sealer) seal(text []byte, until time.Time) string {
	plain := append(binary.BigEndian.AppendUint64(nil, uint64(until.Unix())), text...)
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, plain, nil))
}

func (s *sealer) open(text string, now time.Time) ([]byte, bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, false
	}
	plain, err := s.aead.Open(nil, nil, sealed, nil)
	if err != nil || len(plain) < 8 || now.Unix() > int64(binary.BigEndian.Uint64(plain)) {
		return nil, false
	}
	return plain[8:], true
}
