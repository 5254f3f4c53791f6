# The R calls behind tests/analysis/factors/test_trust.py; run in this folder.
# R 4.2.2, psych 2.2.9, lavaan 0.6.14.
options(digits=10)
suppressMessages({library(psych);library(GPArotation);library(lavaan)})
d<-read.csv('likert.csv'); x<-d[,1:9]
p<-polychoric(x,correct=0,smooth=FALSE); print(p$rho[lower.tri(p$rho)]); print(p$tau[1,])
o<-omega(cor(x),3,fm='minres',rotate='oblimin',plot=FALSE); print(c(o$omega_h,o$omega.tot,o$alpha))
m<-fa.multi(cor(x),nfactors=3,nfact2=1,fm='minres',rotate='oblimin'); print(unclass(m$f1$loadings)); print(m$f1$Phi); print(unclass(m$f2$loadings))
print(psych::alpha(x[,1:3])$total$raw_alpha); l<-fa(cor(x[,1:3]),1,fm='ml')$loadings[,1]; print(sum(l)^2/(sum(l)^2+sum(1-l^2)))
nm<-names(x); model<-paste0('F1=~',paste(nm[1:3],collapse='+'),'\nF2=~',paste(nm[4:6],collapse='+'),'\nF3=~',paste(nm[7:9],collapse='+'))
for(eq in list('',c('loadings'),c('loadings','intercepts'))) { f<-if(eq[1]=='') cfa(model,d,group='group',meanstructure=TRUE) else cfa(model,d,group='group',group.equal=eq,meanstructure=TRUE); print(as.numeric(fitMeasures(f,c('chisq','df','pvalue','cfi','rmsea'))),digits=10)}
